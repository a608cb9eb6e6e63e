"""Find tasks by the entry-point group ``invr.tasks``: list them from metadata, import the one that is asked for.

Neither this module nor `installed` imports torch or a plugin.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invr_core.discovery import Offer, discover, named
from invr_core.errors import BadInput, InvrError, did_you_mean

if TYPE_CHECKING:
    from invr_tasks.task import Task

GROUP = "invr.tasks"
API = 1
"""The version of the `Task` contract that this `invr` supports."""


class UnknownTask(BadInput):
    """No installed distribution offers a task of this name."""


class AmbiguousTask(BadInput):
    """Several distributions offer a task of this name; which one is meant has to be said."""


class BrokenTask(InvrError):
    """A task cannot be imported, or what is found is not a usable `Task`."""


class IncompatibleTask(BrokenTask):
    """A task was written for another version of the contract."""


def installed() -> list[Offer]:
    """All installed tasks, sorted by name; none is imported."""
    return discover(GROUP)


def get(name: str) -> type[Task[Any]]:
    """The class of one task; only this one is imported.

    Args:
        name: one of ``interpolate`` (the name of an entry point), ``distribution/interpolate`` (the same, of one
            distribution), ``package.module:Class`` and ``./file.py:Class`` (a task under development, not installed).

    Raises:
        UnknownTask: if nothing of this name is installed.
        AmbiguousTask: if several distributions offer the name.
        BrokenTask: if it cannot be imported or is not a usable task.
        IncompatibleTask: if it was written for another version of the contract.
    """
    if ":" in name:
        return _load(f"the task {name!r}", lambda: by_reference(name))
    return load(_one_of(name, installed()))


def load(offer: Offer) -> type[Task[Any]]:
    """Import one installed task, and check it.

    Raises:
        BrokenTask: if it cannot be imported or is not a usable task.
        IncompatibleTask: if it was written for another version of the contract.
    """
    return _load(f"the task {offer.name!r} of {offer.distribution} {offer.version} ({offer.value})", offer.load)


def describe_installed(offers: list[Offer]) -> str:
    """``Installed tasks: …``, or how to install some."""
    if not offers:
        return (
            "No task is installed; to install ours, in a checkout of invr: pip install -c constraints.txt ./plugins/*/"
        )
    return f"Installed tasks: {', '.join(dict.fromkeys(offer.name for offer in offers))}"


def _one_of(name: str, offers: list[Offer]) -> Offer:
    found = named(name, offers)
    if not found:
        raise UnknownTask(_unknown(name, offers))
    if len(found) > 1 and len({offer.distribution for offer in found}) > 1:
        ways = " or ".join(repr(offer.qualified) for offer in found)
        raise AmbiguousTask(f"the task {name!r} is offered by {len(found)} distributions; say which: {ways}")
    if len(found) > 1:
        owner, short = found[0].distribution, found[0].name
        raise AmbiguousTask(f"{owner} offers the task {short!r} {len(found)} times; reinstall it")
    return found[0]


def _unknown(name: str, offers: list[Offer]) -> str:
    names = [offer.name for offer in offers] + [offer.qualified for offer in offers if "/" in name]
    return f"there is no task {name!r}. {did_you_mean(name, names, most=3)}{describe_installed(offers)}"


def by_reference(reference: str) -> Any:
    """What ``package.module:Object`` or ``./file.py:Object`` names; whatever its module raises comes through."""
    module_name, _, path = reference.rpartition(":")
    is_file = module_name.endswith(".py") or "/" in module_name
    found: Any = _from_file(Path(module_name)) if is_file else _from_module(module_name)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _from_file(path: Path) -> Any:
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    name = f"invr_task_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    _look_into(path.parent)  # for what lies beside it, as if the file were run
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _from_module(name: str) -> Any:
    _look_into(Path.cwd())  # a console script, unlike `python -m`, does not look into the current folder
    return importlib.import_module(name)


def _look_into(folder: Path) -> None:
    """Find modules in a folder, too, after all others."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    importlib.invalidate_caches()


def _load(whose: str, importer: Callable[[], Any]) -> type[Task[Any]]:
    try:
        found: type[Task[Any]] = importer()
    except (Exception, SystemExit) as cause:
        raise BrokenTask(f"{whose} cannot be imported: {type(cause).__name__}: {cause}") from cause
    _check(whose, found)
    return found


def _check(whose: str, found: Any) -> None:
    from invr_tasks.task import Task

    if not (isinstance(found, type) and issubclass(found, Task) and found is not Task):
        raise BrokenTask(f"{whose} is not a subclass of invr_tasks.task.Task but {found!r}")
    stated = next((vars(base)["api"] for base in found.__mro__ if base is not Task and "api" in vars(base)), None)
    if stated is None:
        raise IncompatibleTask(f"{whose} does not state its api; write `api = {API}` in the class {found.__name__}")
    if stated != API:
        raise IncompatibleTask(
            f"{whose} is written for api {stated!r}, this invr supports {API}; install versions that fit each other"
        )
    if inspect.isabstract(found):
        raise BrokenTask(f"{whose} does not define {', '.join(sorted(found.__abstractmethods__))}")
    config = getattr(found, "Config", None)
    if not (isinstance(config, type) and dataclasses.is_dataclass(config)):
        raise BrokenTask(f"{whose} needs a dataclass as `Config`; `Config = NoOptions` where there are none")
