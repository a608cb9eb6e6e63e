"""Outputs at a URL: made on this machine, then put there whole. By fsspec, so wherever it reaches.

A store that renames is sent a private name, ``.NAME.xxxxxxxx.part`` with the suffix, which is then renamed. The others
are object stores: what is put there appears once all of it has arrived.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from invr_core.atomic import private_name
from invr_core.errors import BadOutput, InvrError
from invr_tasks.temporary import temporary_folder

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::.*)?://")


def is_url(path: str) -> bool:
    """Whether a path is one of another place than this machine.

    Example:
        >>> is_url("s3://films/clean"), is_url("films/clean"), is_url("C:/films")
        (True, False, False)
    """
    return _URL.match(path) is not None


def place(text: str) -> str:
    """A path or URL as it was typed; ``file://`` is a path of this machine, and becomes one.

    Example:
        >>> place("file:///films/clean"), place("s3://films/clean")
        ('/films/clean', 's3://films/clean')
    """
    return text.removeprefix("file://").removeprefix("local://")


def check_store(url: str) -> None:
    """Refuse a URL that nothing can be put at: an empty file is put beside it, and removed. Once for each folder.

    Raises:
        BadOutput: saying what its store says.
    """
    _check_folder(_folder(url))


def there(url: str) -> bool:
    """Whether something is at a URL now.

    Raises:
        BadOutput: if its store cannot be reached.
    """
    with _blamed(url):
        store, path = _opened(url)
        store.invalidate_cache()
        return bool(store.exists(path))


def present(urls: Iterable[str]) -> set[str]:
    """Those of many URLs at which something is; each folder is listed once.

    Raises:
        BadOutput: if a store cannot be reached.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for url in urls:
        folders[_folder(url)].append(url)
    return {url for folder, within in folders.items() for url in _listed(folder) & set(within)}


@contextmanager
def whole(*outputs: str | None) -> Iterator[Mapping[str | None, str]]:
    """Where on this machine to write what goes to these places; if all goes well, what belongs at a URL is put there.

    Args:
        outputs: paths, which stay as they are, and URLs, which are written to a temporary folder first; None is left
            out. They are put in this order, each whole or not at all.

    Raises:
        BadOutput: if something cannot be put where it belongs.
    """
    local: dict[str | None, str] = {path: path for path in outputs if path is not None}
    urls = [path for path in outputs if path is not None and is_url(path)]
    if not urls:
        yield local
        return
    with temporary_folder("invr-to-put") as folder:
        for number, url in enumerate(urls):  # two may be called alike
            (folder / str(number)).mkdir()
            local[url] = str(folder / str(number) / _name(url))
        yield local
        for url in urls:
            if Path(local[url]).exists():
                _put(local[url], url)


def _put(file: str, url: str) -> None:
    with _blamed(url):
        store, path = _opened(url)
        if not _renames(store):
            store.put_file(file, path)
            return
        if store.isdir(path):
            raise BadOutput(f"{url} exists and is a folder; choose another name")
        folder, _, name = path.rpartition("/")
        private = f"{folder}/{private_name(name)}"
        try:
            store.makedirs(folder, exist_ok=True)
            store.put_file(file, private)
            store.mv(private, path)
        except BaseException:
            with suppress(Exception):
                store.rm_file(private)
            raise


@cache
def _check_folder(folder: str) -> None:
    with _blamed(folder):
        store, path = _opened(folder)
        while _renames(store) and path.strip("/") and not store.exists(path):
            path = path.rpartition("/")[0]  # it is made when something is put there
        trial = f"{path}/{private_name('trial')}"
        store.pipe_file(trial, b"")
        with suppress(Exception):  # who may write need not be allowed to remove
            store.rm_file(trial)


def _listed(folder: str) -> set[str]:
    """The URLs of all that is in a folder; nothing if there is none."""
    with _blamed(folder):
        store, path = _opened(folder)
        store.invalidate_cache()
        try:
            return {folder + _name(entry.rstrip("/")) for entry in store.ls(path, detail=False)}
        except FileNotFoundError:
            return set()


def _opened(url: str) -> tuple[Any, str]:
    """The store of a URL, and the path there."""
    if "::" in url:
        raise BadOutput(f"{url} is a chain of URLs; give a single one, such as s3://bucket/folder")
    from fsspec import url_to_fs

    store, path = url_to_fs(url)
    return store, path


def _renames(store: Any) -> bool:
    """Whether a store has a renaming of its own; what fsspec does for the others is a copy."""
    from fsspec import AbstractFileSystem

    return type(store).mv is not AbstractFileSystem.mv


@contextmanager
def _blamed(url: str) -> Iterator[None]:
    """What a store says, as an error of the place that was asked for; every store has its own kinds of them."""
    try:
        yield
    except InvrError:
        raise
    except Exception as error:
        said = next(iter(str(error).splitlines()), "")
        raise BadOutput(f"{url} cannot be used: {said or type(error).__name__}; choose another place") from error


def _folder(url: str) -> str:
    return url[: url.rindex("/") + 1]


def _name(url: str) -> str:
    return url.rpartition("/")[2]
