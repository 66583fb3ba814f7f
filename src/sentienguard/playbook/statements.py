"""Which SQL may be signed, and which may run: one static statement, and only words that are known.

Called by `lint` (before somebody signs) and by the executor's `sql_query` and `sql` (again, before
it is sent). A database does what a statement says, so what is not known here is not allowed.

Rules; a remark names the rule of lint it belongs to:

1. One statement, in printable ASCII. No comments, backslashes, `$tag$` texts, double quotes or
   backquotes: two servers read those differently. A value stands in a place: `$1` or `?`.
2. A statement that looks begins with SELECT, WITH or SHOW, and holds no word
   that writes, locks or takes a file, and no function but those in LOOKING.
3. A statement that acts is one of a few forms. A SELECT acts through one function of ACTING, as
   the first thing it selects, over a sub-select that has WHERE and LIMIT: then it is sure for which
   rows the function is called. KILL takes its number from a place.
4. DELETE and UPDATE have WHERE; INSERT says what happens to a row that is there; definitions of
   tables and roles, whole files and FULL are for people.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sentienguard.ports import databases

MOST_CHARACTERS = 4_000
MOST_ROWS = databases.MOST_ROWS  # more would be acted on and could not be told

# Functions that only look, of both dialects. `word(` that is none of these is not allowed.
LOOKING = frozenset(
    {
        *("abs", "age", "array_length", "bool_and", "bool_or", "cardinality", "cast", "ceil"),
        *("clock_timestamp", "coalesce", "concat", "connection_id", "count", "current_setting"),
        *("date_part", "date_trunc", "exists", "extract", "filter", "floor", "format", "greatest"),
        *("has_database_privilege", "ifnull", "in", "interval", "isfinite", "least", "left"),
        *(
            "length",
            "lower",
            "make_interval",
            "max",
            "min",
            "now",
            "nullif",
            "over",
            "pg_backend_pid",
        ),
        *("pg_blocking_pids", "pg_current_wal_lsn", "pg_database_size", "pg_has_role"),
        *("pg_is_in_recovery", "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn"),
        *("pg_last_xact_replay_timestamp", "pg_ls_archive_statusdir", "pg_ls_waldir"),
        *("pg_postmaster_start_time", "pg_relation_size", "pg_table_size"),
        *("pg_total_relation_size", "pg_wal_lsn_diff", "position", "regexp_replace", "replace"),
        *("right", "round", "row_number", "statement_timestamp", "substring", "sum", "any", "all"),
        *("time_to_sec", "timediff", "timestampdiff", "to_char", "trim", "unix_timestamp"),
        *("unnest", "upper", "using", "values", "version", "as", "on", "and", "or", "not", "from"),
        *("select", "where", "by", "then", "when", "else", "case", "join", "array", "having"),
        *(
            "conflict",
            "between",
            "like",
            "union",
            "except",
            "intersect",
            "numeric",
            "is",
            "only",
            "lateral",
        ),
    }
)
# Functions that change something and are the remedy itself.
ACTING = frozenset(
    {
        "pg_cancel_backend",
        "pg_drop_replication_slot",
        "pg_reload_conf",
        "pg_rotate_logfile",
        "pg_switch_wal",
        "pg_terminate_backend",
    }
)
OF_NOTHING = frozenset({"pg_reload_conf", "pg_rotate_logfile", "pg_switch_wal"})  # without rows
_LOOKS = frozenset({"select", "with", "show"})
_WRITES = frozenset(
    {
        *("insert", "update", "delete", "merge", "into", "share", "lock", "call", "execute"),
        *("outfile", "dumpfile", "load_file", "handler", "procedure", "copy"),
    }
)
_DEFINITIONS = frozenset(
    {
        *("create", "drop", "alter", "truncate", "grant", "revoke", "rename", "reindex", "cluster"),
        *("comment", "security", "import", "load", "install", "uninstall", "refresh"),
    }
)
_SETTINGS = frozenset({"set", "reset", "begin", "start", "commit", "rollback", "prepare", "do"})
_TOKEN = re.compile(
    r"\s+|(?P<text>'(?:[^'\\]|'')*')|(?P<word>@{0,2}[A-Za-z_][A-Za-z0-9_$]*)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<place>\$[1-9][0-9]?|\?)|(?P<sign>::|:=|[-+*/%<>=!~|.,()\[\]])"
)


@dataclass(frozen=True, slots=True)
class Remark:
    """Why a statement may not be signed and does not run."""

    rule: str  # of lint
    message: str
    way_out: str


@dataclass(frozen=True, slots=True)
class _Token:
    text: str  # in lower case
    kind: str  # text, word, number, place or sign
    depth: int  # parentheses around it


def looking(statement: str) -> tuple[Remark, ...]:
    """Return what stands against a statement that may only look."""
    tokens, remarks = _read(statement)
    if remarks:
        return remarks
    return tuple(_not_looking(tokens))


def acting(statement: str, *, rows: str = "") -> tuple[Remark, ...]:
    """Return what stands against a statement that may act.

    `rows` is the statement whose rows it is run for; empty: it is run once.
    """
    tokens, remarks = _read(statement)
    found = [*remarks, *(_acting(tokens) if not remarks else ())]
    if rows:
        found += looking(rows)
        if not _bounded(_read(rows)[0]):
            found.append(_unbounded("for_each", f"has no WHERE, or no LIMIT up to {MOST_ROWS}"))
    kills = not remarks and tokens[0].text == "kill"
    if kills and not rows:
        found.append(_unbounded("KILL", "does not say of which rows"))
    return tuple(found)


def changes_by_itself(statement: str) -> bool:
    """Tell whether an acting statement is none of those whose rows say what was done."""
    tokens, _ = _read(statement)
    return not tokens or tokens[0].text not in {"select", "with"} or _settles(tokens)


def _settles(tokens: Sequence[_Token]) -> bool:
    return any(token.text in OF_NOTHING for token in tokens)


def _read(statement: str) -> tuple[tuple[_Token, ...], tuple[Remark, ...]]:
    """Split a statement by rule 1."""
    text = statement.strip().removesuffix(";").rstrip()
    if len(text) > MOST_CHARACTERS:
        return (), (_language(f"a statement of {len(text)} characters", "shorten it"),)
    if "--" in text or "/*" in text:
        return (), (_language("a comment", "say it in the description of the playbook"),)
    tokens: list[_Token] = []
    at = depth = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            found = f"{text[at : at + 1]!r} at character {at + 1}"
            way_out = "one statement of plain words, numbers, 'texts', $1 or ? and operators"
            return (), (_language(found, way_out),)
        at = match.end()
        if match.lastgroup is None:
            continue
        value = match.group()
        depth -= value == ")"
        tokens.append(_Token(value.lower(), match.lastgroup, depth))
        depth += value == "("
    if depth or not tokens:
        return (), (_language("parentheses that do not close, or nothing", "close them"),)
    if any(not token.text.isascii() or not token.text.isprintable() for token in tokens):
        return (), (_language("characters beyond printable ASCII", "bind such a value"),)
    return tuple(tokens), ()


def _not_looking(tokens: Sequence[_Token]) -> Iterator[Remark]:
    first = tokens[0].text
    if first not in _LOOKS:
        way_out = "begin with SELECT, WITH or SHOW; what acts is a step of kind sql_query"
        yield Remark("check-changes-something", f"{first.upper()} may do more than look", way_out)
        return
    for token in tokens:
        if token.kind == "word" and token.text in _WRITES:
            message = f"{token.text.upper()} writes, locks or runs something"
            yield Remark("check-changes-something", message, "look only")
    yield from _functions(tokens, LOOKING, "check-changes-something")


def _functions(tokens: Sequence[_Token], known: frozenset[str], rule: str) -> Iterator[Remark]:
    for at, token in enumerate(tokens):
        if token.text == ":=":
            yield Remark(rule, "an assignment to a variable", "look only")
        if token.text != "(" or at == 0:
            continue
        name = tokens[at - 1]
        of_schema = at > 1 and tokens[at - 2].text == "."
        if name.kind == "word" and (name.text not in known or of_schema):
            schema = f"{tokens[at - 3].text}." if of_schema and at > 2 else ""  # noqa: PLR2004
            way_out = "use one of the functions in playbook/statements.py, without a schema"
            yield Remark(rule, f"{schema}{name.text}() is no function that is known", way_out)


def _acting(tokens: Sequence[_Token]) -> Iterator[Remark]:
    first = tokens[0].text
    if first in _DEFINITIONS:
        rule = "unbounded-delete" if first in {"drop", "truncate"} else "harmful"
        message = f"{first.upper()} changes what the database is, not what it does"
        yield Remark(rule, message, "leave definitions to migrations and to people")
    elif first in _SETTINGS:
        message = f"{first.upper()} outlives the statement or does nothing alone"
        yield Remark("harmful", message, "one statement that stands for itself")
    elif first in _FORMS:
        yield from _FORMS[first](tokens)
    else:
        message = f"{first.upper()} is no statement that is known"
        yield Remark("harmful", message, "use one of the forms in docs/reference/playbooks.md")


def _changing(tokens: Sequence[_Token]) -> Iterator[Remark]:
    if "where" not in {token.text for token in tokens}:
        yield _unbounded(tokens[0].text.upper(), "has no WHERE")
    yield from _functions(tokens, LOOKING, "harmful")


def _inserting(tokens: Sequence[_Token]) -> Iterator[Remark]:
    yield from _functions(tokens[_after_columns(tokens) :], LOOKING, "harmful")


def _tidying(tokens: Sequence[_Token]) -> Iterator[Remark]:
    if "full" in {token.text for token in tokens}:
        message = "VACUUM FULL locks the table and needs room for a second one"
        yield Remark("harmful", message, "a plain VACUUM")


def _calling(tokens: Sequence[_Token]) -> Iterator[Remark]:
    """Judge a SELECT that acts: rule 3."""
    called = [at for at, token in enumerate(tokens) if token.text in ACTING]
    yield from _functions(tokens, LOOKING | ACTING, "harmful")
    for token in tokens:
        if token.kind == "word" and token.text in _WRITES:
            yield Remark("harmful", f"{token.text.upper()} inside a SELECT", "one act, in sight")
    if not called:
        return  # it acts on nothing
    if called != [1] or tokens[0].text != "select":
        message = f"{tokens[called[0]].text} is not the first and only thing that SELECT gives"
        yield Remark("harmful", message, "SELECT pg_...(pid) FROM (SELECT ... LIMIT n) AS chosen")
        return
    if tokens[1].text in OF_NOTHING:
        if len(tokens) > 4:  # noqa: PLR2004 - SELECT name ( )
            message = f"{tokens[1].text} of rows"
            yield Remark("harmful", message, f"SELECT {tokens[1].text}()")
        return
    outer = {token.text for token in tokens if token.depth == 0}
    inner = [token for token in tokens if token.depth > 0]
    if not _bounded(inner) or "from" not in outer or "where" in outer:
        message = f"is not over a sub-select with WHERE and LIMIT up to {MOST_ROWS}"
        yield _unbounded(tokens[1].text, message)


def _bounded(tokens: Sequence[_Token]) -> bool:
    """Tell whether rows are chosen, and every LIMIT is a number that one answer has room for."""
    words = [token.text for token in tokens]
    limits = [words[at + 1 : at + 3] for at, word in enumerate(words) if word == "limit"]
    return "where" in words and bool(limits) and all(map(_small, limits))


def _small(behind: Sequence[str]) -> bool:
    """Tell whether behind LIMIT stands a number, small enough, and nothing more."""
    number, *rest = behind or [""]
    return number.isdigit() and int(number) <= MOST_ROWS and rest in ([], [")"])


def _kill(tokens: Sequence[_Token]) -> Iterator[Remark]:
    rest = [token.text for token in tokens[1:] if token.text not in {"connection", "query", "soft"}]
    if rest != ["?"]:
        message = "KILL takes one number, from a place"
        yield Remark("harmful", message, "KILL ? or KILL QUERY ?, with for_each")


def _purge(tokens: Sequence[_Token]) -> Iterator[Remark]:
    words = [token.text for token in tokens]
    if words[1:4] != ["binary", "logs", "before"] or "interval" not in words:
        message = "PURGE without an age"
        yield Remark("unbounded-delete", message, "PURGE BINARY LOGS BEFORE now() - INTERVAL n DAY")
    yield from _functions(tokens, LOOKING, "harmful")


def _after_columns(tokens: Sequence[_Token]) -> int:
    """Return where the values of an INSERT begin; the name of its table may stand before `(`."""
    starts = [at for at, token in enumerate(tokens) if token.text in {"values", "select"}]
    return starts[0] if starts else 0


def _language(found: str, way_out: str) -> Remark:
    return Remark("harmful", f"found {found} in a statement", way_out)


def _unbounded(what: str, message: str) -> Remark:
    return Remark(
        "unbounded-delete", f"{what} {message}", "say of which rows, and at most how many"
    )


_FORMS: Mapping[str, Callable[[Sequence[_Token]], Iterator[Remark]]] = {
    "analyze": _tidying,
    "checkpoint": _tidying,
    "delete": _changing,
    "flush": _tidying,
    "insert": _inserting,
    "kill": _kill,
    "purge": _purge,
    "select": _calling,
    "update": _changing,
    "vacuum": _tidying,
    "with": _calling,
}
