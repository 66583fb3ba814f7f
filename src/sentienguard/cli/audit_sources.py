"""Where `audit export` and `audit forward` read entries: a control plane, or a log's directory.

What comes from a directory was verified when all of it is read at once; what comes page by page is
as the control plane gives it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from sentienguard.adapters.audit_files import reader
from sentienguard.cli import client, given_files
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors
from sentienguard.ports import audit_log
from sentienguard.stages.audit import checkpoint, people
from sentienguard.stages.audit.evidence import population
from sentienguard.stages.audit.evidence.population import Period, Row
from sentienguard.trust import dsse

PAGE: Final = 500  # entries of one answer
ALWAYS: Final = Period.between(None, None)


@dataclass(frozen=True, slots=True)
class Page:
    """Entries that follow one another."""

    origin: str  # the log's name
    rows: Sequence[Row]


class Source(Protocol):
    """A log that can be read from any index on."""

    def page(self, after: int) -> Page:
        """Return entries from this index on, as far as a checkpoint covers them; perhaps none."""


class Asked:
    """The log of a control plane, a connection for each page."""

    def __init__(self, data: Path, *, names: bool = False) -> None:
        """Ask the control plane of this data directory, or the one that `login` named."""
        self._data = data
        self._names = names

    def page(self, after: int) -> Page:
        """Return a page. Raises client.Away, client.Refused."""
        with client.connect(self._data) as asked:
            return page_of(asked, after, names=self._names)


class Directory:
    """A log's directory, which may be written at the same time; read again when it has grown."""

    def __init__(self, place: Path) -> None:
        """Raises errors.Rejected where there is none."""
        given_files.require_log(place)
        self._place = place
        self._note = ""
        self._origin = ""
        self._leaves: Sequence[bytes] = ()

    def page(self, after: int) -> Page:
        """Return a page."""
        try:
            note = (self._place / "checkpoint").read_text("utf-8")
        except OSError as error:
            raise errors.Unavailable(f"{self._place}: no checkpoint: {error.strerror}") from error
        if note != self._note:
            self._read()
        found = self._leaves[after : after + PAGE]
        rows = [population.row_of(after + n, one, ALWAYS) for n, one in enumerate(found)]
        return Page(self._origin, rows)

    def _read(self) -> None:
        stored = reader.read_stored(self._place)
        try:
            covered = checkpoint.read_text(checkpoint.read_note(stored.checkpoint or "").text)
        except dsse.NotTrusted as error:
            raise errors.Rejected(f"{self._place}: checkpoint: {error}") from error
        leaves = [one for one in stored.records if isinstance(one, bytes)]
        if len(leaves) < covered.size:
            raise audit_log.AuditBroken(
                f"{self._place}: {covered.size} entries are signed, {len(leaves)} can be read; "
                "`sentienguard audit verify` says what is wrong"
            )
        self._origin, self._leaves = covered.origin, leaves[: covered.size]
        self._note = stored.checkpoint or ""


def page_of(asked: client.Client, after: int, *, names: bool = False) -> Page:
    """Return a page of a control plane's log; with names, people are called by them."""
    answer = asked.get("/evidence/entries", after=after, limit=PAGE, names=names)
    rows = [
        population.row_of(one["index"], one["stored"].encode(), ALWAYS) for one in answer["items"]
    ]
    if names:
        told: dict[str, str] = answer["names"]
        rows = [replace(row, fields=people.shown(row.fields, lambda: told)) for row in rows]
    if [row.index for row in rows] != list(range(after, after + len(rows))):
        raise errors.Rejected("the control plane left out entries; verify its log")
    return Page(answer["origin"], rows)


def of_period(
    data: Path, log: Path | None, period: Period, say: Callable[[str], None], *, names: bool = False
) -> tuple[str, list[Row]]:
    """Return the log's name and the entries dated in a period, from wherever it can be read.

    A directory is verified first. Raises population.NotSound.
    """
    own = Places(data).centre / "audit"
    if log is not None and names:
        raise nameless()
    if log is None:
        try:
            with client.connect(data) as asked:
                return _all(asked, period, say, names=names)
        except client.Away:
            if names or not own.is_dir():
                raise
    place = log or own
    given_files.require_log(place)
    found = population.of_log(reader.read_stored(place), period)
    return found.origin, list(found.counted)


def nameless() -> errors.Rejected:
    """Return the refusal of names where only a directory is read."""
    return errors.Rejected("--names: a log's directory holds no names; ask the control plane")


def _all(
    asked: client.Client, period: Period, say: Callable[[str], None], *, names: bool
) -> tuple[str, list[Row]]:
    found: list[Row] = []
    origin = ""
    for page in _pages(asked, names=names):
        origin = page.origin
        found += [
            replace(row, in_period=True) for row in page.rows if period.holds(row.fields["ts_ms"])
        ]
        say(f"reading the log: {page.rows[-1].index + 1:,} entries" if page.rows else "")
    return origin, found


def _pages(asked: client.Client, *, names: bool) -> Iterator[Page]:
    after = 0
    while True:
        page = page_of(asked, after, names=names)
        yield page
        if not page.rows:
            return
        after = page.rows[-1].index + 1
