"""What a control and a framework are. Called by the modules that hold one framework each.

The sentences are ours: what a control is about, not the words of the standard, which its publisher
owns. `log_itself` names what the log proves by its form, whatever it holds; a control with neither
topic nor such a proof could never be evidenced and is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sentienguard.stages.audit.evidence import topics
from sentienguard.stages.audit.evidence.topics import Topic


@dataclass(frozen=True, slots=True)
class Control:
    """One control of a framework, and what of ours is evidence for it."""

    id: str  # as the framework writes it: CC6.1, 164.312(b)
    title: str  # a few words
    asks: str  # what it is about
    shows: str  # what our entries show about it
    missing: str  # what to do where the log holds nothing
    topics: frozenset[Topic] = frozenset()  # entries about these are evidence
    log_itself: str = ""  # what the log's own proofs show; empty: nothing
    tags: tuple[str, ...] = ()  # how `controls` of an entry spells it
    formerly: str = ""  # its number in the edition before, where people still use it

    def __post_init__(self) -> None:
        """Refuse a control that nothing could be evidence for."""
        if not self.topics and not self.log_itself:
            raise ValueError(f"{self.id}: name a topic, or what the log itself shows")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of entries that are evidence for it, in the order of their table."""
        return tuple(kind for kind, topic in topics.OF_KIND.items() if topic in self.topics)


@dataclass(frozen=True, slots=True)
class Framework:
    """A set of controls that auditors ask about together."""

    name: str  # as people give it: soc2
    title: str  # SOC 2
    edition: str  # which text is meant
    controls: tuple[Control, ...]
    outside: str  # what no log can show, so that nobody waits for it here

    def by_kind(self) -> Mapping[str, tuple[str, ...]]:
        """Return for each kind of entry the controls that it is evidence for."""
        return {
            kind: tuple(one.id for one in self.controls if topic in one.topics)
            for kind, topic in topics.OF_KIND.items()
        }
