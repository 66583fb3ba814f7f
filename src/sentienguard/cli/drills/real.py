"""Playbooks on real services of this machine, whichever way the drills know to break them.

Called by `playbook test --real`. A drill says which playbook has to mend its fault, so the way to
prove a playbook is read from the drills and stands nowhere else.

Rules:

1. A playbook is tried by the program's own drill for it, else by a directory below `drills/`.
2. Only the bytes that come with the program are tried: a bed's executor holds their catalogue.
3. Where a machine lacks a program or a right, or no drill has a fault for it, NotHere says exactly
   what: a playbook that was not tried has not passed.
4. What was put up is taken down when the block ends, once for all playbooks.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sentienguard.cli import client
from sentienguard.cli.drills import case, definition, drill, guest, proving, shelf, sites, trial
from sentienguard.cli.drills.beds import bed, choice
from sentienguard.cli.installation import bundled
from sentienguard.model import errors
from sentienguard.model.playbook import Playbook

ORDERS = (True, False, False)  # a dry run, the remedy, and the remedy again
_NOTHING_LEARNT = (bed.CannotMake, bed.ScriptFailed, guest.NotReady, drill.NotInjected)


class NotHere(errors.Unavailable):
    """A playbook could not be tried on a real service of this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a playbook can be tried on this machine."""

    drill: str  # its name, for people
    directory: definition.Definition | None = None  # None: a drill of the program
    kind: str = ""  # of the directory's bed


@dataclass(slots=True)
class Ground:
    """Where playbooks are tried: a sandbox and a control plane, each put up when it is needed."""

    place: Path
    tell: Callable[[str], None]
    stack: contextlib.ExitStack
    drills: Mapping[str, tuple[definition.Definition, ...]]
    _bench: proving.Bench | None = field(default=None)
    _site: case.Site | None = field(default=None)

    def attempt(self, playbook: Playbook, stored: bytes) -> list[drill.Seen]:
        """Return what came of each of ORDERS. Raises NotHere."""
        self._must_be_bundled(playbook, stored)
        way = way_for(str(playbook.name), self.drills)
        self.tell(f"{playbook.name} on {way.drill}")
        try:
            if way.directory is None:
                return self._by_own(playbook)
            return self._by_directory(playbook, way.directory, way.kind)
        except _NOTHING_LEARNT as error:
            raise NotHere(f"{way.drill}: {error}") from error

    def _must_be_bundled(self, playbook: Playbook, stored: bytes) -> None:
        file = bundled.directory() / str(playbook.name) / bundled.PLAYBOOK
        if not file.is_file() or file.read_bytes() != stored:
            raise NotHere(
                f"{playbook.name}: these are not the bytes that come with the program, and only "
                "those are signed for a drill's executor; sign yours and try it on a host of your "
                "own with `sentienguard playbook run NAME --host HOST --dry-run`"
            )

    def _by_own(self, playbook: Playbook) -> list[drill.Seen]:
        if self._bench is None:
            self._bench = self.stack.enter_context(proving.bench(self.place / "own", self.tell))
        fault = self._bench.fault(str(playbook.name))
        return self._bench.run(playbook, fault, dry_runs=ORDERS)

    def _by_directory(
        self, playbook: Playbook, directory: definition.Definition, kind: str
    ) -> list[drill.Seen]:
        if self._site is None:
            place = self.place / "site"
            self.stack.callback(sites.take_down, place)
            self._site = sites.raise_up(place, ())
        with client.connect(self._site.places.data, here=True) as asked:
            return trial.attempt(
                directory,
                playbook,
                self._site,
                asked,
                kind=kind,
                dry_runs=ORDERS,
                tell=self.tell,
            )


@contextlib.contextmanager
def ground(tell: Callable[[str], None]) -> Iterator[Ground]:
    """Have a place to try playbooks, gone with everything in it when the block ends."""
    # The path is short: a bed below it has the agent's Unix socket.
    with tempfile.TemporaryDirectory(prefix="sg-test-") as place, contextlib.ExitStack() as stack:
        yield Ground(Path(place), tell, stack, by_playbook(tuple(shelf.bundled().values())))


def by_playbook(
    drills: Sequence[definition.Definition],
) -> Mapping[str, tuple[definition.Definition, ...]]:
    """Return the faults that each playbook has to mend, by the name of the drill."""
    found: dict[str, tuple[definition.Definition, ...]] = {}
    for one in sorted(drills, key=lambda one: one.name):
        if (
            one.expected.playbook
            and not one.is_decoy
            and one.expected.outcomes == (trial.RESOLVED,)
        ):
            found[one.expected.playbook] = (*found.get(one.expected.playbook, ()), one)
    return found


def way_for(playbook: str, drills: Mapping[str, tuple[definition.Definition, ...]]) -> Way:
    """Return the first way that this machine allows. Raises NotHere with what each lacks."""
    if playbook in proving.PROVEN_BY:
        return Way(proving.PROVEN_BY[playbook])
    lacks = []
    for one in drills.get(playbook, ()):
        for kind in one.beds:
            reason = choice.why_not(one, kind)
            if not reason:
                return Way(one.name, one, kind)
            lacks.append(f"{one.name}: {reason}")
    if lacks:
        raise NotHere(f"{playbook}: {'; '.join(dict.fromkeys(lacks))}")
    raise NotHere(
        f"{playbook}: no drill has a fault that it has to mend; docs/how-to/write-a-drill.md says "
        "how to add one"
    )
