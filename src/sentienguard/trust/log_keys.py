"""The keys of one audit log: each signs checkpoints up to a size, the last one without end.

Called by trust.root, which reads them from the root document, by whoever opens checkpoints and by
the control plane, which signs them. A key that follows another takes over where that one ends, so
that who steals an old key can sign nothing new, and no clock has to be believed for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sentienguard.trust import dsse
from sentienguard.trust.keys import SigningKey, VerifyKey


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key whose word on the log counts up to a size."""

    key: VerifyKey
    until: int | None = None  # entries in the biggest checkpoint that it may sign; None: no end

    def require_reach(self, size: int) -> None:
        """Refuse a checkpoint of a size after the key's end. Raises dsse.NotTrusted."""
        if self.until is not None and size > self.until:
            raise dsse.NotTrusted(
                f"key {self.key.id} of the log ended at size {self.until}; its checkpoint of size "
                f"{size} was signed by who kept it or stole it"
            )


@dataclass(frozen=True, slots=True)
class LogSigners:
    """The private halves that a control plane holds, in the order in which they sign."""

    last: SigningKey  # signs whatever no other one reaches
    ending: tuple[tuple[SigningKey, int], ...] = ()  # with their ends, rising
    public: tuple[LogKey, ...] = ()  # every key of the log, those included that are not held

    @classmethod
    def of(cls, key: SigningKey) -> "LogSigners":
        """Return those of a log that has had one key only."""
        return cls(key, (), (LogKey(key.public),))

    def signer(self, size: int) -> SigningKey:
        """Return the key that signs a checkpoint of this size."""
        return next((key for key, until in self.ending if size <= until), self.last)


def held(named: Sequence[LogKey], private: Sequence[SigningKey]) -> LogSigners:
    """Return who signs, of the keys that a root names and those that lie here.

    Raises dsse.NotTrusted where none of the keys here has no end.
    """
    ends = {one.key.id: one.until for one in named}
    endless = [key for key in private if key.id in ends and ends[key.id] is None]
    if not endless:
        there = ", ".join(key.id for key in private) or "no key"
        raise dsse.NotTrusted(
            f"the root names {', '.join(ends)} for the log; {there} is here, and none that has no "
            "end: put the named one there, or have the root keys sign one that names this key"
        )
    ending = [(key, until) for key in private if (until := ends.get(key.id)) is not None]
    return LogSigners(endless[0], tuple(sorted(ending, key=lambda one: one[1])), tuple(named))
