"""Regular expressions that end in time.

Prometheus uses RE2, which cannot be made to run for ever; Python's can. So the expression must
first be one that the parser's own engine (of RE2's kind) takes, and then one without a repetition
inside a repetition and with few repetitions one after another.
"""

import functools
import re
import warnings
from collections.abc import Iterable
from re import _constants as codes  # type: ignore[attr-defined]  # Python's own parse tree
from re import _parser as tree  # type: ignore[attr-defined]
from typing import Any

from sentienguard.stages.observe.promql.faults import QueryWrong

MAX_LENGTH = 2000
MAX_CHOICE = 10  # what one way through an expression may leave open, as `_choice` counts it
_LONG = 2  # a repetition that may end at so many places more counts twice
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)


@functools.lru_cache(maxsize=512)
def compiled(text: str) -> re.Pattern[str]:
    """Return the expression; match it with `fullmatch`. Raises QueryWrong."""
    if len(text) > MAX_LENGTH:
        raise QueryWrong(f"regular expression of {len(text)} characters: at most {MAX_LENGTH}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # where Python reads a set otherwise than RE2
            parsed = tree.parse(text, re.ASCII.value)
            pattern = re.compile(text, re.ASCII)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise QueryWrong(f"regular expression {text!r}: {error}") from error
    if _choice(parsed, inside=False) > MAX_CHOICE:
        raise QueryWrong(
            f"regular expression {text!r} leaves too much open: expected at most "
            f"{MAX_CHOICE // _LONG} of `*` and `+`, or {MAX_CHOICE} of `?`; use several matchers"
        )
    return pattern


def _choice(parsed: Iterable[Any], *, inside: bool) -> int:
    """Count what is left open on the longest way. Raises QueryWrong for what multiplies it."""
    total = 0
    for code, argument in parsed:
        if code in _REPEATS:
            least, most, inner = argument
            if least != most and inside:
                raise _nested()
            total += 0 if least == most else _LONG if most - least >= _LONG else 1
            total += _choice(inner, inside=inside or most > 1)
        elif code is codes.BRANCH:
            if inside:
                raise _nested()
            total += max(_choice(one, inside=inside) for one in argument[1])
        elif code is codes.SUBPATTERN:
            total += _choice(argument[3], inside=inside)
        elif code not in _PLAIN:
            raise QueryWrong(f"a regular expression uses {code}, which is not in our subset")
    return total


def _nested() -> QueryWrong:
    return QueryWrong(
        "a regular expression must not repeat a repetition or a choice, as (a+)* and (ab|c)* do"
    )


_PLAIN = frozenset({codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN, codes.AT})
