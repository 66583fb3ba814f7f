"""Read which versions the lock files name.

Called by `sbom.py` and `advisories.py`. Names of Python packages are normalised as PEP 503 says.
"""

from __future__ import annotations

import json
import pathlib
import re
from dataclasses import dataclass
from typing import Final

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
RUNTIME: Final = ROOT / "requirements/runtime.txt"
DEVELOPMENT: Final = ROOT / "requirements/dev.txt"
DASHBOARD: Final = ROOT / "ui/package-lock.json"
_PIN: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_PARENT: Final = re.compile(r"#(?:\s+via)?\s+([A-Za-z0-9][A-Za-z0-9._-]*)(?:\s|\Z)")
_PLACES: Final = "node_modules/"


class LockUnreadable(Exception):
    """A lock file is not in the form that `make lock` or npm writes."""


@dataclass(frozen=True, slots=True)
class Package:
    """One version that is installed."""

    ecosystem: str  # PyPI or npm, as OSV calls them
    name: str
    version: str
    digests: tuple[str, ...] = ()  # of its archives: hex SHA-256 (PyPI), base64 SHA-512 (npm)
    parents: tuple[str, ...] = ()  # names of what asks for it; empty: the project itself
    development: bool = False  # not in what is shipped
    licence: str = ""  # as the lock file says

    @property
    def purl(self) -> str:
        """Return its package URL."""
        if self.ecosystem == "PyPI":
            return f"pkg:pypi/{self.name}@{self.version}"
        return f"pkg:npm/{self.name.replace('@', '%40')}@{self.version}"


def python(path: pathlib.Path, *, development: bool = False) -> list[Package]:
    """Read a file that `make lock` wrote. Raises LockUnreadable where a line has no version."""
    found: list[Package] = []
    for block in re.split(r"\n(?=[^\s#])", path.read_text("utf-8")):
        head = block.splitlines()[0].strip() if block.strip() else ""
        if not head or head.startswith("#"):
            continue
        pin = _PIN.match(head)
        if pin is None:
            raise LockUnreadable(f"{path}: expected NAME==VERSION, found {head[:80]!r}")
        parents = {
            normal(name)
            for line in block.splitlines()[1:]
            if line.strip().startswith("#")
            for name in _PARENT.findall(line.strip())
            if name != "via"
        }
        found.append(
            Package(
                "PyPI",
                normal(pin[1]),
                pin[2],
                digests=tuple(sorted(_HASH.findall(block))),
                parents=tuple(sorted(parents - {"sentienguard"})),
                development=development,
            )
        )
    return found


def npm(path: pathlib.Path) -> list[Package]:
    """Read npm's lock file, version 3. Raises LockUnreadable."""
    document = json.loads(path.read_text("utf-8"))
    if document.get("lockfileVersion") != 3:  # noqa: PLR2004 - npm's own number
        raise LockUnreadable(f"{path}: expected lockfileVersion 3")
    entries = {place: said for place, said in document["packages"].items() if place}
    parents: dict[str, set[str]] = {}
    for place, said in entries.items():
        for child in (*said.get("dependencies", ()), *said.get("optionalDependencies", ())):
            parents.setdefault(child, set()).add(place.rpartition(_PLACES)[2])
    found = {
        (name := place.rpartition(_PLACES)[2], said["version"]): Package(
            "npm",
            name,
            said["version"],
            digests=tuple(
                one.removeprefix("sha512-")
                for one in said.get("integrity", "").split()
                if one.startswith("sha512-")
            ),
            parents=tuple(sorted(parents.get(name, ()))),
            development=bool(said.get("dev") or said.get("devOptional")),
            licence=said.get("license", ""),
        )
        for place, said in entries.items()
    }
    return [found[key] for key in sorted(found)]


def everything() -> list[Package]:
    """Return every version of all lock files; what is shipped first."""
    shipped = python(RUNTIME)
    known = {(one.name, one.version) for one in shipped}
    more = [
        one for one in python(DEVELOPMENT, development=True) if (one.name, one.version) not in known
    ]
    return [*shipped, *more, *npm(DASHBOARD)]


def normal(name: str) -> str:
    """Return a Python package's name in its one form."""
    return re.sub(r"[-_.]+", "-", name).lower()
