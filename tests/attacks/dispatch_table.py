"""Every attack on dispatch, run once, and the tables that are published of it.

Called by test_dispatch_attacks. By hand, `python -m tests.attacks.dispatch_table` runs everything
and prints the tables; with `--write` it puts them into docs/explanation/attacks-on-dispatch.md.
"""

import argparse
import concurrent.futures
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentienguard.stages.execute import admission
from tests.attacks import (
    dispatch_approvals,
    dispatch_catalogues,
    dispatch_limits,
    dispatch_orders,
    dispatch_passkeys,
    dispatch_remains,
    dispatch_ssh,
    dispatch_stops,
    dispatch_trust,
    dispatch_weakened,
)
from tests.attacks.dispatch_scene import ROOT, Attack, Scene
from tests.support.seed_dispatch import SeedScene

DOCUMENT = ROOT / "docs" / "explanation" / "attacks-on-dispatch.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
AT_ONCE = 4  # scenes at a time; most of their time they wait for a disk

# The fifteen that the seed's scheme was first measured with, in their order.
FIRST = (
    *("edited_in_transit", "for_another_host", "another_type", "replayed", "new_playbook"),
    *("content_swapped", "one_signer_stolen", "values_outside", "fabricated_incident"),
    *("restart_storm", "approval_claimed", "approvals_copied", "one_approver_stolen"),
    *("downgraded", "restored_from_backup"),
)
_EVERY = {
    attack.key: attack
    for family in (
        dispatch_orders,
        dispatch_stops,
        dispatch_catalogues,
        dispatch_trust,
        dispatch_limits,
        dispatch_approvals,
        dispatch_passkeys,
        dispatch_ssh,
    )
    for attack in family.ATTACKS
}
ATTACKS: Sequence[Attack] = (
    *(_EVERY[key] for key in FIRST),
    *(attack for key, attack in _EVERY.items() if key not in FIRST),
)
ALLOWED = (*dispatch_remains.RIGHT, *dispatch_remains.REMAINS)
# Checks without which every attack here is still refused, and what refuses it then.
REDUNDANT = {
    "parameters": "no order is begun without the values that it judges: what binds them refuses, "
    "and the check gives that refusal its name",
}


@dataclass(frozen=True)
class Ran:
    """What came of one scene."""

    effects: int  # how often something was done that must not be
    refused_by: str  # the rule that refused first; not told of an executor without its guards


@dataclass(frozen=True)
class Job:
    """One attack on an executor without some guards."""

    attack: Attack | dispatch_remains.Allowed
    without: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Name it as tests are named."""
        return "-without-".join([self.attack.key, *sorted(self.without)])


def jobs() -> Iterator[Job]:
    """Yield every scene that has to be run for the tables and their claims."""
    for attack in ATTACKS:
        yield Job(attack)
        for guards in attack.opens:
            yield Job(attack, guards)
            yield from (Job(attack, guards - {kept}) for kept in guards if len(guards) > 1)
    yield from (Job(allowed) for allowed in ALLOWED)


class Runs:
    """Scenes that run beside each other, each once; who asks for one waits for it."""

    def __init__(self, place: Path) -> None:
        """Take a directory for the hosts."""
        self._place = place
        self._lock = threading.Lock()
        self._pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self._begun: dict[Job, concurrent.futures.Future[Ran]] = {}
        self._seeds: dict[str, int] = {}

    def begin(self, wanted: Iterable[Job]) -> None:
        """Queue scenes, in this order."""
        with self._lock:
            for job in wanted:
                if job not in self._begun:
                    place = self._place / str(len(self._begun))
                    self._begun[job] = self._pool.submit(_run, job, place)

    def of(self, job: Job) -> Ran:
        """Return what came of a scene."""
        self.begin([job])
        return self._begun[job].result()

    def seed(self, attack: Attack | dispatch_remains.Allowed) -> int | None:
        """Return how often the seed's scheme did it; None where it knows no such thing."""
        if attack.seed is None:
            return None
        if attack.key not in self._seeds:
            place = self._place / f"seed-{attack.key}"
            place.mkdir()
            self._seeds[attack.key] = attack.seed(SeedScene(place))
        return self._seeds[attack.key]

    def close(self) -> None:
        """Drop what has not begun and wait for the rest."""
        self._pool.shutdown(cancel_futures=True)


def _run(job: Job, place: Path) -> Ran:
    place.mkdir()
    scene = Scene(place, job.without)
    try:
        return Ran(job.attack.ours(scene), "" if job.without else scene.refused_by)
    finally:
        scene.close()


# -- tables ----------------------------------------------------------------------------------------


def tables(runs: Runs) -> str:
    """Return the published tables, made of what ran."""
    runs.begin(jobs())
    return "\n".join([*_attacks(runs), "", *_right(runs), "", *_remains(runs), "", *_guards(runs)])


def _attacks(runs: Runs) -> Iterator[str]:
    classic = [attack for attack in ATTACKS if attack.key in FIRST]
    known = [attack for attack in ATTACKS if attack.seed is not None]
    beyond = sum(runs.of(Job(one)).effects > one.residual for one in ATTACKS)
    yield f"**{len(ATTACKS)} attacks; {beyond} got through beyond the signed limits.**"
    yield f"The seed's scheme does {_done(runs, classic)} of the first {len(classic)}, and"
    yield f"{_done(runs, known)} of the {len(known)} that it has a word for, many of them for the"
    yield "same reason; a dash says that it has no such thing."
    yield ""
    yield "| | attack | done here | first refused by | done by the seed's scheme |"
    yield "|---|---|---|---|---|"
    for number, attack in enumerate(ATTACKS, 1):
        ran = runs.of(Job(attack))
        limit = " (the signed limit)" if attack.residual else ""
        rule = ran.refused_by.replace("_", " ") if ran.refused_by.isupper() else ran.refused_by
        shown = f"`{rule}`" if "_" in rule else rule.lower()
        yield (
            f"| {number} | {attack.name} | {ran.effects}{limit} | {shown} | "
            f"{_dash(runs.seed(attack))} |"
        )


def _done(runs: Runs, attacks: Sequence[Attack]) -> int:
    return sum(bool(runs.seed(attack)) for attack in attacks)


def _right(runs: Runs) -> Iterator[str]:
    yield "| an order that is right | done here | done by the seed's scheme |"
    yield "|---|---|---|"
    for one in dispatch_remains.RIGHT:
        yield f"| {one.name} | {runs.of(Job(one)).effects} | {_dash(runs.seed(one))} |"


def _remains(runs: Runs) -> Iterator[str]:
    yield "| what who owns the control plane can still do | done here |"
    yield "|---|---|"
    for one in dispatch_remains.REMAINS:
        yield f"| {one.name} | {runs.of(Job(one)).effects} |"


def _guards(runs: Runs) -> Iterator[str]:
    yield "| guard | an attack that gets through without it | if this is gone as well |"
    yield "|---|---|---|"
    for guard in guards():
        attack, needed = shown_by(guard)
        if attack is None:
            yield f"| `{guard}` | none: {REDUNDANT[guard]} | |"
            continue
        assert runs.of(Job(attack, needed)).effects > attack.residual, (guard, attack.key)
        others = ", ".join(f"`{other}`" for other in sorted(needed - {guard}))
        yield f"| `{guard}` | {attack.name} | {others} |"


def _dash(found: int | None) -> str:
    return "-" if found is None else str(found)


def guards() -> Sequence[str]:
    """Return the checks of the table and then what stands outside of it."""
    return (*(check.name for check in admission.TABLE), *dispatch_weakened.GUARDS)


def shown_by(guard: str) -> tuple[Attack | None, Collection[str]]:
    """Return an attack that needs a guard gone, and all that has to be gone for it: the fewest."""
    found = [
        (len(needed), number, attack, needed)
        for number, attack in enumerate(ATTACKS)
        for needed in attack.opens
        if guard in needed
    ]
    if not found:
        return None, frozenset()
    _, _, attack, needed = min(found, key=lambda one: one[:2])
    return attack, needed


def published() -> str:
    """Return the tables that the document shows. Raises ValueError where it shows none."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()


def main() -> None:
    """Run everything; print or write the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        runs = Runs(Path(place))
        try:
            made = tables(runs)
        finally:
            runs.close()
    if not arguments.write:
        print(made)
        return
    text = DOCUMENT.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{made}\n\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
