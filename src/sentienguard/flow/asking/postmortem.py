"""The draft of a post-mortem in Markdown: what the log says, each sentence linked to its entry.

What nobody recorded is left for people to write, and says so. Text of hosts is escaped, so that it
makes no heading, no link and no HTML.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sentienguard.flow.asking import answering, sentences
from sentienguard.flow.asking.answering import Facts
from sentienguard.flow.asking.kinds import Asked, Kind
from sentienguard.flow.asking.sentences import Sentence

_SIGNS: Final = re.compile(r"([\\`*_{}\[\]()#+!|~<>&$])")
_FOR_PEOPLE: Final = (
    ("Impact", "who noticed, and what did it cost?"),
    ("Cause", "why did it come to this?"),
    ("What went well, what did not", "what would have helped?"),
    ("Follow-up", "who does what until when?"),
)


def draft(facts: Facts, base: str) -> str:
    """Return the draft; `base` is the dashboard's address, empty where it is unknown."""
    incident = facts.incident
    times = [one.at for one in facts.entries]
    parts = [
        f"# Post-mortem of {incident.id}",
        f"*Draft from the audit log, entries {_span(facts)}; {_when(times)}.*",
        "## Summary",
        _list(answering.answer(Asked("", Kind.SAFE, incident.id), facts).sentences, base),
        "## Detection and decision",
        _section(facts, base, Kind.HAPPENED, Kind.WHY_NOT_ALONE),
        "## What changed before",
        _section(facts, base, Kind.CHANGED),
        "## What was tried",
        _section(facts, base, Kind.TRIED),
        "## People",
        _section(facts, base, Kind.APPROVED, Kind.WHO),
        "## Earlier incidents",
        _section(facts, base, Kind.SIMILAR),
        "## Time line (UTC)",
        "\n".join(
            f"- {one.at:%Y-%m-%d %H:%M:%S} {_linked(sentences.say(one), base)}"
            for one in facts.entries
        ),
    ]
    for heading, question in _FOR_PEOPLE:
        parts += [f"## {heading}", f"*Not in the log: {question}*"]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _SIGNS.sub(r"\\\1", text)


def _section(facts: Facts, base: str, *wanted: Kind) -> str:
    said: list[Sentence] = []
    for kind in wanted:
        for one in answering.answer(Asked("", kind, facts.incident.id), facts).sentences:
            if one not in said:
                said.append(one)
    return _list(said, base)


def _list(said: Sequence[Sentence], base: str) -> str:
    return "\n".join(f"- {_linked(one, base)}" for one in said)


def _linked(sentence: Sentence, base: str) -> str:
    cited = " ".join(f"[[{index}]]({base}/audit/proof/{index})" for index in sentence.entries)
    return f"{escape(sentence.text)} {cited}".rstrip()


def _span(facts: Facts) -> str:
    indices = [one.index for one in facts.entries]
    return f"{indices[0]} to {indices[-1]}" if indices else "none"


def _when(times: Sequence[datetime]) -> str:
    if not times:
        return "nothing is recorded"
    return f"{times[0]:%Y-%m-%d %H:%M:%S} to {times[-1]:%Y-%m-%d %H:%M:%S} UTC"
