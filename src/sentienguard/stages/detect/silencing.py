"""What a window covers.

Called by controlplane.intake (symptoms that open nothing), flow.deciding and flow.dispatch (hosts
in maintenance) and the API (what would it match). Rules:

 1. All matchers of a window must hold, as in Alertmanager; a label that is not there is "".
 2. One of them must need something: a window whose every matcher also holds for "" is refused, for
    it would cover whatever comes, mostly by mistake.
 3. A regular expression is compared with the whole value, and must be one that ends in time.
"""

import functools
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from re import _constants as codes  # type: ignore[attr-defined]  # Python's own parse tree
from re import _parser as tree  # type: ignore[attr-defined]
from typing import Any, Final

from sentienguard.model import errors
from sentienguard.model.anomaly import Anomaly
from sentienguard.model.window import Comparison, Matcher, Purpose, Window
from sentienguard.stages.detect import windows

PLACE_LABELS: Final = frozenset({"host", "environment"})
SYMPTOM_LABELS: Final = PLACE_LABELS | {"metric", "subject", "severity"}
TAG: Final = "tag."  # tag.role is the tag `role` of the host
MOST_MATCHERS: Final = 20
MOST_CHARACTERS: Final = 300  # of a value
MOST_OPEN: Final = 3  # repetitions one after another: each multiplies the time that a match takes
_REPEATS: Final = (codes.MAX_REPEAT, codes.MIN_REPEAT)
_PLAIN: Final = frozenset({codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN, codes.AT})
_REGEX: Final = frozenset({Comparison.MATCHES, Comparison.MATCHES_NOT})


class MatcherWrong(errors.Rejected):
    """A matcher names no label of ours, or an expression that cannot be used."""


def place(host: str, environment: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a host."""
    return {
        "host": host,
        "environment": environment,
        **{f"{TAG}{name}": value for name, value in tags.items()},
    }


def symptom(place_labels: Mapping[str, str], anomaly: Anomaly) -> dict[str, str]:
    """Return the labels of a symptom: those of its host, and its own."""
    return {
        **place_labels,
        "metric": anomaly.series.metric,
        "subject": anomaly.series.subject,
        "severity": anomaly.severity.value,
    }


def covers(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Tell whether all matchers hold (rule 1)."""
    return all(_holds(one, labels.get(one.label, "")) for one in matchers)


def covering(
    found: Iterable[Window], labels: Mapping[str, str], at: datetime
) -> tuple[Window, ...]:
    """Return the windows that stand then and cover what has these labels."""
    return tuple(one for one in found if covers(one.matchers, labels) and windows.stands(one, at))


def reach(matchers: Iterable[Matcher], environments: Sequence[str]) -> tuple[str, ...]:
    """Return those environments of which something can be covered."""
    about = [one for one in matchers if one.label == "environment"]
    return tuple(name for name in environments if covers(about, {"environment": name}))


def of_place(matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
    """Return those that are about the host, whatever the symptom."""
    return tuple(one for one in matchers if one.label in PLACE_LABELS or _is_tag(one.label))


def check(purpose: Purpose, matchers: Sequence[Matcher]) -> None:
    """Refuse matchers that cannot be used. Raises MatcherWrong, saying which."""
    if not 1 <= len(matchers) <= MOST_MATCHERS:
        message = f"{len(matchers)} matchers: expected 1 to {MOST_MATCHERS}"
        raise MatcherWrong(message)
    known = SYMPTOM_LABELS if purpose is Purpose.SILENCE else PLACE_LABELS
    for one in matchers:
        if one.label not in known and not _is_tag(one.label):
            message = (
                f"matcher {one}: a {purpose} has the labels {', '.join(sorted(known))} and "
                f"{TAG}<name>"
            )
            raise MatcherWrong(message)
        if len(one.value) > MOST_CHARACTERS:
            message = f"matcher on {one.label}: expected at most {MOST_CHARACTERS} characters"
            raise MatcherWrong(message)
        if one.comparison in _REGEX:
            compiled(one.value)
    if all(_holds(one, "") for one in matchers):  # rule 2
        message = (
            "these matchers hold for everything; name at least one thing, for example "
            'host=~".+" for all hosts'
        )
        raise MatcherWrong(message)


def from_pattern(label: str, pattern: str) -> Matcher:
    """Return the matcher of a pattern with `*` and `?`, as people type names."""
    if not set(pattern) & set("*?"):
        return Matcher(label, Comparison.EQUAL, pattern)
    if set(pattern) == {"*"}:
        return Matcher(label, Comparison.MATCHES, ".+")
    words = {"*": ".*", "?": "."}
    return Matcher(
        label, Comparison.MATCHES, "".join(words.get(one) or re.escape(one) for one in pattern)
    )


@functools.lru_cache(maxsize=1024)
def compiled(text: str) -> re.Pattern[str]:
    """Return an expression (rule 3). Raises MatcherWrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python will read otherwise one day
            parsed = tree.parse(text)
            found = re.compile(text)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        message = f"regular expression {text[:60]!r}: {error}"
        raise MatcherWrong(message) from error
    if _open(parsed, inside=False) > MOST_OPEN:
        message = (
            f"regular expression {text[:60]!r} leaves too much open: expected at most "
            f"{MOST_OPEN} repetitions; use several matchers"
        )
        raise MatcherWrong(message)
    return found


def _holds(matcher: Matcher, value: str) -> bool:
    match matcher.comparison:
        case Comparison.EQUAL:
            return value == matcher.value
        case Comparison.DIFFERS:
            return value != matcher.value
        case Comparison.MATCHES:
            return compiled(matcher.value).fullmatch(value) is not None
        case Comparison.MATCHES_NOT:
            return compiled(matcher.value).fullmatch(value) is None


def _is_tag(label: str) -> bool:
    return label.startswith(TAG) and len(label) > len(TAG)


def _open(parsed: Iterable[Any], *, inside: bool) -> int:
    """Count repetitions on the longest way. Raises MatcherWrong for what multiplies them."""
    total = 0
    for code, argument in parsed:
        if code in _REPEATS:
            least, most, inner = argument
            total += least != most
            if inside and least != most:
                raise _nested()
            total += _open(inner, inside=inside or most > 1)
        elif code is codes.BRANCH:
            if inside:
                raise _nested()
            total += max(_open(one, inside=inside) for one in argument[1])
        elif code is codes.SUBPATTERN:
            total += _open(argument[3], inside=inside)
        elif code not in _PLAIN:
            message = f"regular expressions here have no {code}"
            raise MatcherWrong(message)
    return total


def _nested() -> MatcherWrong:
    return MatcherWrong(
        "a regular expression must not repeat a repetition or a choice, as (a+)* and (a|b)* do"
    )
