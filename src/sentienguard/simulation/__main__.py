"""Run pretend worlds from the command line: `python -m sentienguard.simulation --seeds N`.

Status 0: nothing is wrong (with `--planted`: every planted bug was found); 1 otherwise.
"""

import argparse
import json
import sys
import time

from sentienguard.simulation import planted, search, signatures, world

_GATE = 300  # seeds within which a planted bug has to be found
_SHOWN = 25  # rare counters in the text report


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m sentienguard.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=_GATE, help="how many worlds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--trace", action="store_true", help="with --seed: print every event")
    parser.add_argument("--hours", type=float, default=world.SHORT.hours, help="simulated, each")
    parser.add_argument("--hosts", type=int, default=world.SHORT.hosts)
    parser.add_argument("--rate", type=float, help="illnesses of a host in an hour")
    parser.add_argument("--planted", help="a planted bug by name, or all")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    wanted = parser.parse_args()
    rate = wanted.rate
    if rate is None:  # a long world is a calm one, so that its length is looked at
        long = wanted.hours >= world.LONG.hours
        rate = (world.LONG if long else world.SHORT).ills_per_host_hour
    size = world.Size(wanted.hosts, wanted.hours, rate)
    if wanted.planted:
        return _planted(wanted.planted, wanted.seeds, size, as_json=wanted.json)
    if wanted.seed is not None:
        return _one(wanted.seed, size, trace=wanted.trace, as_json=wanted.json)
    return _many(range(wanted.start, wanted.start + wanted.seeds), size, as_json=wanted.json)


def _one(seed: int, size: world.Size, *, trace: bool, as_json: bool) -> int:
    keep = world.MOST_STEPS * 2 if trace else world.LAST
    with signatures.remembered():
        outcome = world.World(seed, size, keep=keep).run()
    if as_json:
        _say(json.dumps({**_failure(outcome), "digest": outcome.digest, "tally": outcome.tally}))
    else:
        for line in outcome.last:
            _say(line)
        _say(f"seed {seed}: {outcome.steps} events, trace {outcome.digest}")
        _tell(outcome)
    return int(bool(outcome.violations))


def _many(seeds: range, size: world.Size, *, as_json: bool) -> int:
    began = time.process_time()
    shown = [began]

    def told(report: search.Report) -> None:
        now = time.process_time()
        if now - shown[0] > 1.0:
            shown[0] = now
            print(  # noqa: T201 - progress of a command
                f"\r{report.seeds}/{len(seeds)} seeds, {report.steps:,} events, "
                f"{len(report.failed)} failed ",
                end="",
                file=sys.stderr,
                flush=True,
            )

    report = search.search(seeds, size, most_failures=10, told=told)
    took = time.process_time() - began
    if as_json:
        failed = [_failure(one) for one in report.failed]
        figures = {"seeds": report.seeds, "events": report.steps, "hours": report.hours}
        _say(
            json.dumps(
                {**figures, "cpu_s": round(took, 2), "failed": failed, "tally": report.tally}
            )
        )
        return int(bool(report.failed))
    print(file=sys.stderr)  # noqa: T201 - ends the line of progress
    for name, count in sorted(report.tally.items()):
        _say(f"{count:>9,}  {name}")
    for outcome in report.failed:
        for line in outcome.last[-_SHOWN:]:
            _say(f"    {line}")
        _tell(outcome)
    _say(
        f"{report.seeds} seeds, {report.hours:,.0f} simulated hours of {size.hosts} hosts, "
        f"{report.steps:,} events, {took:.1f} s of CPU, {len(report.failed)} failed"
    )
    return int(bool(report.failed))


def _planted(name: str, seeds: int, size: world.Size, *, as_json: bool) -> int:
    chosen = planted.BUGS if name == "all" else {name: planted.BUGS[name]}
    found: dict[str, object] = {}
    for each in chosen:
        outcome = planted.hunt(each, range(seeds), size)
        found[each] = None if outcome is None else _failure(outcome)
        if not as_json:
            _say(f"{each}: {'NOT FOUND' if outcome is None else _sentence(outcome)}")
    if as_json:
        _say(json.dumps(found))
    else:
        missed = sum(one is None for one in found.values())
        _say(f"{len(found) - missed} of {len(found)} planted bugs found within {seeds} seeds")
    return int(None in found.values())


def _failure(outcome: world.Outcome) -> dict[str, object]:
    return {
        "seed": outcome.seed,
        "violations": [
            {"rule": one.rule, "step": one.step, "at_s": round(one.at_s, 6), "detail": one.detail}
            for one in outcome.violations
        ],
        "last": list(outcome.last)[-_SHOWN:],
    }


def _tell(outcome: world.Outcome) -> None:
    for one in outcome.violations:
        _say(f"seed {outcome.seed}, step {one.step}, {one.at_s:.3f} s: {one.rule}: {one.detail}")


def _sentence(outcome: world.Outcome) -> str:
    one = outcome.violations[0]
    return f"seed {outcome.seed}, step {one.step}: {one.rule}: {one.detail[:100]}"


def _say(line: str) -> None:
    print(line)  # noqa: T201 - the output of a command


if __name__ == "__main__":
    sys.exit(main())
