"""Ask the npm registry what is known about the versions that the dashboard's lock file names.

Called by `advisories.py`. The registry is the one that npm is set up for, asked as `npm audit` asks
it; what goes there are names and versions. Rules:

1. A registry that does not serve this has not said that all is well: that is `Unread`, with its
   reason, and never an empty answer.
2. One version that is known to be vulnerable is asked about as well. A registry that has nothing to
   say of it knows no advisories, whatever status it answers with.
3. What is known belongs to the versions that were asked about, and to no later ones.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILES: Final = ("package.json", "package-lock.json")
# Rule 2: GHSA-xvch-5gv4-984h and GHSA-35jh-r3h4-6jhm, critical and high, of 2021 and 2022.
KNOWN_TO_BE_BAD: Final = (("minimist", "0.0.8"), ("lodash", "4.17.20"))
ANSWER_S: Final = 20  # for one answer of the registry; npm asks at most twice for each
WHOLE_S: Final = 120  # for npm as a whole
_PLACES: Final = "node_modules/"


class Unread(Exception):
    """What is known could not be read; the message says why."""


def ask(dashboard: pathlib.Path, environment: Mapping[str, str] | None = None) -> list[Any]:
    """Return records in OSV's form about the versions of a lock file. Raises Unread.

    `environment` is added to this process's, as npm reads its settings there too.
    """
    if not shutil.which("npm"):
        raise Unread("npm is not on PATH")
    with tempfile.TemporaryDirectory(prefix="sg-audit-") as place:
        lock, bad = _with_a_bad_one(dashboard, pathlib.Path(place))
        said = _audit(pathlib.Path(place), {**os.environ, **(environment or {})})
    found = list(_records(said["vulnerabilities"], lock["packages"]))
    if not any(one["affected"][0]["package"]["name"] == bad for one in found):
        raise Unread(f"the registry knows of nothing wrong with {bad}, so it knows no advisories")
    return [one for one in found if one["affected"][0]["package"]["name"] != bad]


def _with_a_bad_one(dashboard: pathlib.Path, place: pathlib.Path) -> tuple[Any, str]:
    """Copy what npm reads, with one bad version more (rule 2); return the lock and its name."""
    package, lock = (json.loads((dashboard / name).read_text("utf-8")) for name in FILES)
    bad, version = next(
        one for one in KNOWN_TO_BE_BAD if f"{_PLACES}{one[0]}" not in lock["packages"]
    )
    for said in (package, lock["packages"][""]):
        said["dependencies"] = {**said.get("dependencies", {}), bad: version}
    lock["packages"][f"{_PLACES}{bad}"] = {"version": version}
    for name, said in zip(FILES, (package, lock), strict=True):
        (place / name).write_text(json.dumps(said), "utf-8")
    return lock, bad


def _audit(place: pathlib.Path, environment: Mapping[str, str]) -> Any:
    """Run `npm audit` and return its report. Raises Unread (rule 1)."""
    argv = ["npm", "audit", "--json", "--package-lock-only", "--fetch-retries=0"]
    argv.append(f"--fetch-timeout={ANSWER_S * 1000}")
    try:
        done = subprocess.run(
            argv, cwd=place, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=WHOLE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unread(f"npm did not answer within {WHOLE_S} s") from error
    try:
        said = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise Unread(f"npm answered no JSON, status {done.returncode}: {last[:200]}") from error
    if not isinstance(said, dict) or not isinstance(said.get("vulnerabilities"), dict):
        message = said.get("message") if isinstance(said, dict) else None
        raise Unread(" ".join(str(message or f"npm answered {said}").split())[:200])
    return said


def _records(found: Mapping[str, Any], packages: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each advisory with the versions that it is about (rule 3)."""
    for name, said in sorted(found.items()):
        versions = sorted({packages[at]["version"] for at in said["nodes"] if at in packages})
        for one in said["via"]:
            if not isinstance(one, dict):
                continue  # the name of another package of this report, which has its own entry
            package = {"ecosystem": "npm", "name": name}
            yield {
                "id": str(one["url"]).rpartition("/")[2],
                "summary": f"{one['severity']}: {one['title']} ({one['range']})",
                "affected": [{"package": package, "versions": versions}],
            }
