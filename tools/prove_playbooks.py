"""Prove playbooks: put their fault on this machine many times and let a real executor mend it.

    python tools/prove_playbooks.py [--runs 20] [--write] [NAME ...]

For each run: a fresh executor with an empty journal, the drill's fault, one order, and then three
judgements that are not the playbook's own: the drill looks for itself that the fault is gone, that
what must not change did not, and the executor's signed end says SUCCESS. `--write` keeps the count
in `playbooks/NAME/proving.json` together with the digest of the playbook's bytes; a playbook that
changes loses its record (tests/playbooks/test_proving_records.py). `sentienguard up` signs the
records, and policy lets a playbook with one run in the drill environment.

How a run is done, and with which key: `sentienguard.cli.drills.proving`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sentienguard.cli.drills import proving
from sentienguard.cli.drills.proving import PROVEN_BY
from sentienguard.model.playbook import Playbook
from sentienguard.playbook import parse

PLAYBOOKS = Path(__file__).resolve().parents[1] / "playbooks"


def main() -> int:
    """Prove what was asked for; return 0 when every run was verified."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", default=list(PROVEN_BY), metavar="NAME")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="keep the records in playbooks/")
    wanted = parser.parse_args()
    whole = True
    with tempfile.TemporaryDirectory(prefix="sentienguard-prove-") as directory:
        for name, verified, stored in prove(Path(directory), wanted.names, wanted.runs):
            print(f"{name}: {verified} of {wanted.runs} runs verified by {PROVEN_BY[name]}")
            whole = whole and verified == wanted.runs
            if wanted.write:
                _write(name, verified, wanted.runs, stored)
    return 0 if whole else 1


def prove(directory: Path, names: list[str], runs: int) -> Iterator[tuple[str, int, Playbook]]:
    """Yield each playbook's name, how many runs were verified, and the playbook."""
    with proving.bench(directory, lambda _: None) as bench:
        for name in names:
            stored = (PLAYBOOKS / name / "playbook.yaml").read_bytes()
            playbook = parse.load(stored, origin=name)
            verified = sum(_run(bench, playbook, number) for number in range(runs))
            yield name, verified, playbook


def _run(bench: proving.Bench, playbook: Playbook, number: int) -> bool:
    (seen,) = bench.run(playbook, bench.fault(playbook.name))
    verified = seen.outcome == "SUCCESS" and seen.gone and not seen.changed
    if not verified:
        print(f"  run {number}: {seen}", file=sys.stderr)
    return verified


def _write(name: str, verified: int, runs: int, playbook: Playbook) -> None:
    record = {
        "playbook": playbook.name,
        "version": playbook.version,
        "digest": playbook.digest,
        "proven": [{"drill": PROVEN_BY[name], "runs": runs, "verified": verified}],
    }
    (PLAYBOOKS / name / "proving.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
