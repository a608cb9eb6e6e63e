"""Makes the project in the current folder known as an editable installation would, without network.

``python fake_pip.py SITE install -e .`` writes into SITE, which is to be in the search path for modules.
"""

import sys
import tomllib
from pathlib import Path


def install(site: Path) -> None:
    """Make the project known to whoever has ``site`` in the search path."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    metadata = {"Metadata-Version": "2.1", "Name": project["name"], "Version": project["version"]}
    (info / "METADATA").write_text("".join(f"{key}: {value}\n" for key, value in metadata.items()), encoding="utf-8")
    lines: list[str] = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    (site / "sitecustomize.py").write_text(
        f"import sys\nsys.path.append({str(Path('src').resolve())!r})\n", encoding="utf-8"
    )


if __name__ == "__main__":
    install(Path(sys.argv[1]))
