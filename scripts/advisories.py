"""Look for known vulnerabilities in the versions that the lock files name.

    python scripts/advisories.py                     judge; status 1 where one is not accepted
    python scripts/advisories.py --refresh PLACE     read OSV records again, then judge
    python scripts/advisories.py --refresh-npm       keep what the npm registry says, then judge
    python scripts/advisories.py --must-read         status 1 also where anything is old or unread

What is known of Python packages stands in requirements/advisories.json, whose age is told. PLACE is
a directory or a zip of OSV records in JSON or YAML: a checkout of the Python Packaging Advisory
Database, or an export of osv.dev (https://google.github.io/osv.dev/data/) for PyPI or npm. Only
records of locked packages are kept. About npm's the registry is asked each time (`npm_advisories`);
where it does not say, that is told, and what was kept is judged by. What is accepted stands in
requirements/accepted.toml, each with its reason and the day on which that ends:

    [[accepted]]
    id = "PYSEC-2024-1"
    package = "name"
    reason = "what it needs does not happen here, because …"
    until = 2026-12-31
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import pathlib
import re
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING, Any, Final

import yaml
from packaging.version import InvalidVersion, Version

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))  # also when a test imports this
import advisory_ages
import locked
import npm_advisories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

KNOWN: Final = locked.ROOT / "requirements/advisories.json"
ACCEPTED: Final = locked.ROOT / "requirements/accepted.toml"
LONGEST_DAYS: Final = 180  # that anything may be accepted for at a time
_SEMVER: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?\Z")
_KEPT: Final = ("id", "aliases", "summary", "withdrawn")


class AcceptedWrong(Exception):
    """The file of accepted advisories is not in its form, or one of them is over."""


def main() -> int:
    """Judge, after reading records again where that is asked for; return the exit status."""
    parser = argparse.ArgumentParser(description="Look for known vulnerabilities.")
    parser.add_argument("--refresh", type=pathlib.Path, metavar="PLACE")
    parser.add_argument("--known", type=pathlib.Path, default=KNOWN, help="file of advisories")
    parser.add_argument("--accepted", type=pathlib.Path, default=ACCEPTED)
    parser.add_argument("--today", type=dt.date.fromisoformat, help="instead of today")
    parser.add_argument("--refresh-npm", action="store_true", help="keep the registry's answer")
    parser.add_argument("--offline", action="store_true", help="ask no registry")
    parser.add_argument("--must-read", action="store_true", help="old or unread is a failure")
    wanted = parser.parse_args()
    today = wanted.today or dt.datetime.now(dt.UTC).date()
    packages = locked.everything()
    if wanted.refresh:
        _keep(wanted.known, gathered(wanted.refresh, packages))
    known = json.loads(wanted.known.read_text("utf-8"))
    unread = "the registry was not to be asked"
    if not wanted.offline:
        try:
            said = npm_advisories.ask(locked.DASHBOARD.parent)
            known, unread = advisory_ages.answered(known, said, packages, today), ""
        except npm_advisories.Unread as problem:
            unread = str(problem)
    if wanted.refresh_npm and not unread:
        _keep(wanted.known, known)
    try:
        accepted = accepted_of(wanted.accepted, today)
    except AcceptedWrong as problem:
        print(f"{wanted.accepted}: {problem}", file=sys.stderr)
        return 1
    status = report(known, packages, accepted, today, unread)
    return 1 if wanted.must_read and not advisory_ages.all_read(known, today, unread) else status


def _keep(path: pathlib.Path, known: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


def report(
    known: Mapping[str, Any],
    packages: Sequence[locked.Package],
    accepted: set[tuple[str, str]],
    today: dt.date,
    unread: str = "",
) -> int:
    """Say what was found and how old the knowledge is; return the exit status.

    `unread` is why the npm registry did not say today what it knows; empty: it did.
    """
    status = 0
    used: set[tuple[str, str]] = set()
    for package, record in matches(known["records"], packages):
        names = {
            (name, locked.normal(package.name))
            for name in (record["id"], *record.get("aliases", ()))
        }
        if names & accepted:
            used |= names & accepted
            print(f"accepted: {package.name} {package.version}: {record['id']}")
            continue
        status = 1
        where = " (only builds and tests)" * package.development
        about = f"{package.name} {package.version}{where}: {record['id']} {_about(record)}"
        print(f"VULNERABLE: {about}")
    for name, package_name in sorted(accepted - used):
        status = 1
        print(f"ACCEPTED FOR NOTHING: {package_name}: {name}; take it out of the file")
    for line in (
        *advisory_ages.by_records(known, packages, today),
        *advisory_ages.by_answer(known, packages, unread, today),
    ):
        print(line)
    return status


def matches(
    records: Sequence[Mapping[str, Any]], packages: Sequence[locked.Package]
) -> Iterator[tuple[locked.Package, Mapping[str, Any]]]:
    """Yield each package with each record that affects its version."""
    for package in packages:
        for record in records:
            if not record.get("withdrawn") and any(
                affects(one, package) for one in record["affected"]
            ):
                yield package, record


def affects(affected: Mapping[str, Any], package: locked.Package) -> bool:
    """Tell whether one entry of OSV's `affected` names this version."""
    said = affected["package"]
    if said["ecosystem"] != package.ecosystem or _name(said) != package.name:
        return False
    if package.version in affected.get("versions", ()):
        return True
    order = {"PyPI": _pep440, "npm": _semver}[package.ecosystem]
    return any(
        _within(one["events"], package.version, order)
        for one in affected.get("ranges", ())
        if one["type"] in {"ECOSYSTEM", "SEMVER"}
    )


def _within(events: Sequence[Mapping[str, str]], version: str, order: Callable[[str], Any]) -> bool:
    """Tell whether a version lies in a range, by the algorithm that OSV's schema gives."""
    ours = order(version)
    inside = False
    for kind, at in sorted(
        ((kind, at) for event in events for kind, at in event.items()),
        key=lambda one: (one[1] != "0", order(one[1]) if one[1] != "0" else order("0.0.0")),
    ):
        if kind == "introduced" and (at == "0" or ours >= order(at)):
            inside = True
        elif (kind == "fixed" and ours >= order(at)) or (
            kind == "last_affected" and ours > order(at)
        ):
            inside = False
    return inside


def gathered(place: pathlib.Path, packages: Sequence[locked.Package]) -> dict[str, Any]:
    """Read the records of locked packages. What other ecosystems had before is kept."""
    wanted = {(one.ecosystem, one.name) for one in packages}
    before = json.loads(KNOWN.read_text("utf-8")) if KNOWN.exists() else {}
    newest: dict[str, str] = {}
    records = []
    for record in _records(place):
        systems = {one["package"]["ecosystem"] for one in record.get("affected", ())}
        for system in systems & {"PyPI", "npm"}:
            newest[system] = max(newest.get(system, ""), str(record["modified"])[:10])
        affected = [
            _slim(one)
            for one in record.get("affected", ())
            if (one["package"]["ecosystem"], _name(one["package"])) in wanted
        ]
        if affected:
            kept = {name: record[name] for name in _KEPT if record.get(name)}
            records.append({**kept, "affected": affected, "summary": _about(record)})
    kept_before = [
        one
        for one in before.get("records", ())
        if one.get("answered")
        or not {entry["package"]["ecosystem"] for entry in one["affected"]} & set(newest)
    ]
    return {
        **before,
        "newest": {**before.get("newest", {}), **newest},
        "records": sorted([*kept_before, *records], key=lambda one: one["id"]),
    }


def _records(place: pathlib.Path) -> Iterator[dict[str, Any]]:
    if place.is_file():
        with zipfile.ZipFile(place) as packed:
            for name in sorted(packed.namelist()):
                if name.endswith((".json", ".yaml")):
                    yield _record(packed.read(name))
        return
    for path in sorted(place.rglob("*")):
        if path.suffix in {".json", ".yaml"} and path.is_file():
            yield _record(path.read_bytes())


def _record(stored: bytes) -> dict[str, Any]:
    # OSV's JSON is YAML as well, but json reads it a hundred times as fast.
    found = json.loads(stored) if stored[:1] == b"{" else yaml.safe_load(stored)
    return found if isinstance(found, dict) and "modified" in found else {"modified": ""}


def accepted_of(path: pathlib.Path, today: dt.date) -> set[tuple[str, str]]:
    """Return what is accepted, as id and package. Raises AcceptedWrong."""
    found = set()
    for one in tomllib.loads(path.read_text("utf-8")).get("accepted", ()):
        if set(one) != {"id", "package", "reason", "until"} or len(str(one["reason"])) < 20:  # noqa: PLR2004 - a sentence
            raise AcceptedWrong(f"expected id, package, a reason and until, found {one}")
        until = one["until"]
        if not isinstance(until, dt.date):
            raise AcceptedWrong(f"{one['id']}: until: expected a day such as 2026-12-31")
        if until < today:
            raise AcceptedWrong(f"{one['id']}: accepted until {until}; judge it again")
        if (until - today).days > LONGEST_DAYS:
            raise AcceptedWrong(f"{one['id']}: until {until} is over {LONGEST_DAYS} days away")
        found.add((one["id"], locked.normal(one["package"])))
    return found


def _slim(affected: Mapping[str, Any]) -> dict[str, Any]:
    said = affected["package"]
    ranges = [
        {"type": one["type"], "events": one["events"]}
        for one in affected.get("ranges", ())
        if one["type"] in {"ECOSYSTEM", "SEMVER"}
    ]
    made: dict[str, Any] = {
        "package": {"ecosystem": said["ecosystem"], "name": _name(said)},
        "ranges": ranges,
    }
    if not ranges:  # the list is the range written out, and long
        made["versions"] = [str(one) for one in affected.get("versions", ())]
    return made


def _name(said: Mapping[str, str]) -> str:
    return locked.normal(said["name"]) if said["ecosystem"] == "PyPI" else said["name"]


def _about(record: Mapping[str, Any]) -> str:
    text = " ".join(str(record.get("summary") or record.get("details") or "").split())
    return text[:160]


def _pep440(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")


def _semver(version: str) -> tuple[Any, ...]:
    found = _SEMVER.match(version)
    if found is None:
        return (0, 0, 0, (1,))
    numbers = tuple(int(part) for part in found.groups()[:3])
    if found[4] is None:
        return (*numbers, (1,))
    parts = tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in found[4].split(".")
    )
    return (*numbers, (0, *parts))


if __name__ == "__main__":
    sys.exit(main())
