"""Prove playbooks: put their fault on this machine many times and let a real executor mend it.

    python tools/prove_playbooks.py [--runs N] [--write] [--list | --missing | NAME ...]

For each run: a fresh executor with an empty journal, the drill's fault, one order, and then three
judgements that are not the playbook's own: the drill looks for itself that the fault is gone, that
what must not change did not, and the executor's signed end says SUCCESS. `--write` keeps the count
in `playbooks/NAME/proving.json` together with the digest of the playbook's bytes; a playbook that
changes loses its record (tests/playbooks/test_proving_records.py). `sentienguard up` signs the
records, and policy lets a playbook with one run in the drill environment.

Faults are those of the program's own drills, 20 runs in one sandbox, and those of the directories
below `drills/`, 5 runs each in a bed of its own: as many as `drill run-all` asks for. `--list` says
which playbook has which; `--missing` takes all without a record of their present bytes.

How a run is done, and with which key: `sentienguard.cli.drills.proving` and `trial`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sentienguard.cli import client
from sentienguard.cli.drills import definition, proving, shelf, sites, trial
from sentienguard.cli.drills.proving import PROVEN_BY
from sentienguard.model import ids
from sentienguard.model.playbook import Playbook
from sentienguard.playbook import parse

PLAYBOOKS = Path(__file__).resolve().parents[1] / "playbooks"
OWN_RUNS = 20  # of a drill of the program: seconds each
RECORD = "proving.json"


def main() -> int:
    """Prove what was asked for; return 0 when every run was verified."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--runs", type=int, help=f"{OWN_RUNS}, of directories {trial.RUNS}")
    parser.add_argument("--write", action="store_true", help="keep the records in playbooks/")
    parser.add_argument("--list", action="store_true", help="only say which drill proves which")
    parser.add_argument("--missing", action="store_true", help="all that can be and are not")
    wanted = parser.parse_args()
    drills = by_playbook(list(shelf.bundled().values()))
    if wanted.list:
        for name in sorted({*PROVEN_BY, *drills}):
            print(f"{name}: {drill_of(name, drills)}, {'proven' if is_proven(name) else 'not yet'}")
        return 0
    names = wanted.names or list(PROVEN_BY)
    if wanted.missing:
        names = [name for name in sorted({*PROVEN_BY, *drills}) if not is_proven(name)]
    if unknown := [name for name in names if name not in {*PROVEN_BY, *drills}]:
        parser.error(f"no drill that can run here has to be mended by {', '.join(unknown)}")
    whole = True
    for name, verified, runs, stored in prove(names, drills, wanted.runs):
        print(f"{name}: {verified} of {runs} runs verified by {drill_of(name, drills)}", flush=True)
        whole = whole and verified == runs
        if wanted.write and verified == runs:
            write(name, drill_of(name, drills), runs, stored)
    return 0 if whole else 1


def by_playbook(
    drills: Sequence[definition.Definition],
) -> Mapping[str, definition.Definition]:
    """Return the first directory whose fault each playbook has to mend, and can here."""
    found: dict[str, definition.Definition] = {}
    for one in sorted(drills, key=lambda one: one.name):
        name = one.expected.playbook
        if name not in PROVEN_BY and not one.is_decoy and trial.can_prove(one):
            found.setdefault(name, one)
    return found


def drill_of(name: str, drills: Mapping[str, definition.Definition]) -> str:
    """Return the name of the drill that proves a playbook."""
    return PROVEN_BY[name] if name in PROVEN_BY else drills[name].name


def is_proven(name: str) -> bool:
    """Tell whether a playbook has a record of its present bytes."""
    try:
        record = json.loads((PLAYBOOKS / name / RECORD).read_bytes())
    except FileNotFoundError:
        return False
    return bool(record["digest"] == ids.digest((PLAYBOOKS / name / "playbook.yaml").read_bytes()))


def prove(
    names: Sequence[str], drills: Mapping[str, definition.Definition], runs: int | None
) -> Iterator[tuple[str, int, int, Playbook]]:
    """Yield each playbook's name, how many of how many runs were verified, and the playbook."""
    own = [name for name in names if name in PROVEN_BY]
    others = [name for name in names if name not in PROVEN_BY]
    if own:
        with _place() as place, proving.bench(place, lambda _: None) as bench:
            for name in own:
                count = runs or OWN_RUNS
                playbook = _playbook(name)
                verified = sum(_run(bench, playbook, number) for number in range(count))
                yield name, verified, count, playbook
    if others:
        with _place() as place:
            yield from _in_beds(place / "site", others, drills, runs or trial.RUNS)


def _in_beds(
    place: Path, names: Sequence[str], drills: Mapping[str, definition.Definition], runs: int
) -> Iterator[tuple[str, int, int, Playbook]]:
    """Let directories put their faults into beds of their own, up to the first that stays."""
    site = sites.raise_up(place, ())
    try:
        for name in names:
            playbook = _playbook(name)
            with client.connect(site.places.data, here=True) as asked:
                seen = trial.prove(drills[name], playbook, site, asked, runs=runs, tell=_tell)
            yield name, seen.verified, seen.runs, playbook
    finally:
        sites.take_down(place)


def _run(bench: proving.Bench, playbook: Playbook, number: int) -> bool:
    (seen,) = bench.run(playbook, bench.fault(playbook.name))
    verified = seen.outcome == "SUCCESS" and seen.gone and not seen.changed
    if not verified:
        print(f"  run {number}: {seen}", file=sys.stderr)
    return verified


def _playbook(name: str) -> Playbook:
    return parse.load((PLAYBOOKS / name / "playbook.yaml").read_bytes(), origin=name)


def _tell(line: str) -> None:
    print(f"  {line}", file=sys.stderr)


@contextmanager
def _place() -> Iterator[Path]:
    # The path is short: a bed below it has the agent's Unix socket.
    with tempfile.TemporaryDirectory(prefix="prove-") as directory:
        yield Path(directory)


def write(name: str, drill: str, runs: int, playbook: Playbook) -> None:
    """Keep the record of a playbook of which every run was verified."""
    record = {
        "playbook": playbook.name,
        "version": playbook.version,
        "digest": playbook.digest,
        "proven": [{"drill": drill, "runs": runs, "verified": runs}],
    }
    (PLAYBOOKS / name / RECORD).write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
