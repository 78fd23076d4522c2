"""What installing takes: fixieai and all that it requires, as installed here, without compiled bytecode."""

import pathlib
import tomllib
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.processes import ROOT
from benchmarks.table import Row


def measure(_quick: bool) -> list[Row]:
    packages = _closure(_required_by_fixieai())
    sizes = (_size(metadata.distribution(name)) for name in packages)
    own = sum(
        path.stat().st_size for path in (ROOT / "fixieai").rglob("*") if _counts(path.name) and path.is_file()
    )
    megabytes = (sum(sizes) + own) / 1e6
    return [
        Row("installed files", "MB", megabytes, budget=130),
        Row("installed packages", "", len(packages) + 1, budget=80, note="With fixieai itself."),
    ]


def _required_by_fixieai() -> list[Requirement]:
    """As the project says now: what was installed from it may say what it said then."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(each) for each in project["dependencies"]]


def _closure(first: list[Requirement]) -> set[str]:
    """What is required, what that requires, and so on: names in canonical form."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [(canonicalize_name(one.name), frozenset(one.extras)) for one in first if _applies(one, ())]
    while waiting:
        package, extras = item = waiting.pop()
        if item not in found:
            found.add(item)
            required = map(Requirement, metadata.requires(package) or ())
            waiting += [
                (canonicalize_name(one.name), frozenset(one.extras))
                for one in required
                if _applies(one, extras)
            ]
    return {str(package) for package, _ in found}


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _size(distribution: metadata.Distribution) -> int:
    paths = (pathlib.Path(str(file.locate())) for file in distribution.files or () if _counts(file.name))
    return sum(path.stat().st_size for path in paths if path.is_file())


def _counts(name: str) -> bool:
    return not name.endswith(".pyc")
