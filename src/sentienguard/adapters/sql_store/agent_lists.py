"""The statements of a list of agents: which are told, in which order, how many stand how. Pure.

Called by `agents`. Rules:

1. Environments outside `within` are told of by no row, no count and no cursor.
2. What is looked for is a value of the statement, never a part of it.
3. Places compare byte by byte: those in quarantine, then host name, then id.
"""

from typing import TypeAlias

from sqlalchemy import TextClause, text

from sentienguard.adapters.sql_store import codec, listing
from sentienguard.ports.agent_store import Agent, AgentFilter, Health

Values: TypeAlias = dict[str, str | int]

QUARANTINED = "coalesce(quarantined, '') <> ''"
SILENT = "(last_seen_us IS NULL OR last_seen_us < :silent_before_us)"
HEALTHS = {
    Health.QUARANTINE: QUARANTINED,
    Health.SILENT: SILENT,
    Health.HEARD: f"NOT ({QUARANTINED} OR {SILENT})",
}
SOUND = f"CASE WHEN {QUARANTINED} THEN 0 ELSE 1 END"

# A control plane of the release before enrols without `search`: until the row is written anew it
# is found by its name and environment, and by the value of a tag.
SEARCHED = "coalesce(search, lower(host || ' ' || environment || ' ' || tags))"

# What an agent is read from (`agents`), in this order: by place each costs half of by name.
COLUMNS = (
    "id, host, environment, tags, tls_pin, executor_key, enrolled_us, last_seen_us, last_seq, "
    "events_through, certificate_ends_us, quarantined, struck_off_us, root_version"
)
AGENTS = f"SELECT {COLUMNS} FROM agents"  # noqa: S608 - names of columns

# Agents that were not struck off: what each filter adds, and the order.
LISTED = "FROM agents WHERE struck_off_us IS NULL"
TEXT = f"AND {SEARCHED} LIKE :pattern ESCAPE '!'"
ENVIRONMENT = "AND environment = :environment"
AFTER = f"AND ({SOUND}, host, id) > (:sound, :after_host, :after_id)"
ORDER = f"ORDER BY {SOUND}, host, id"

# How many stand how.
COUNTS = ", ".join(
    f"coalesce(sum(CASE WHEN {holds} THEN 1 ELSE 0 END), 0) AS {health.value}"
    for health, holds in HEALTHS.items()
)


def searched(agent: Agent) -> str:
    """Return what people look for in an agent, case-folded."""
    tags = (f"{name}={value}" for name, value in agent.tags.items())
    return " ".join((agent.host, agent.environment, *tags)).casefold()


def page(where: AgentFilter, cursor: str | None, limit: int | None) -> tuple[TextClause, Values]:
    """Return the statement of one page, with one row more than it has. Raises Rejected."""
    parts, values = _matching(where)
    if where.health is not None:
        parts.append(f"AND {HEALTHS[where.health]}")
        values["silent_before_us"] = codec.micros(where.silent_before)
    if cursor is not None:
        parts.append(AFTER)
        place = listing.read_cursor(cursor, _place)
        values["sound"], values["after_host"], values["after_id"] = place
    parts.append(ORDER)
    if limit is not None:
        parts.append("LIMIT :limit")
        values["limit"] = limit + 1
    return text("\n".join((f"SELECT {COLUMNS}", *parts))), values


def counts(where: AgentFilter) -> tuple[TextClause, Values]:
    """Return the statement that counts what text and environment match. Raises Rejected."""
    parts, values = _matching(where)
    values["silent_before_us"] = codec.micros(where.silent_before)
    return text("\n".join((f"SELECT count(*) AS every, {COUNTS}", *parts))), values


def cursor_after(last: Agent) -> str:
    """Name the place behind this agent."""
    return listing.cursor(f"{int(not last.quarantined)} {last.id} {last.host}")


def _matching(where: AgentFilter) -> tuple[list[str], Values]:
    """Return what narrows both to places and text."""
    values: Values = {f"place_{at}": one for at, one in enumerate(sorted(where.within))}
    places = ", ".join(f":{name}" for name in values) or "NULL"  # in no place is nothing (rule 1)
    parts = [LISTED, f"AND environment IN ({places})"]
    if where.environment:
        parts.append(ENVIRONMENT)
        values["environment"] = where.environment
    if where.text.strip():
        parts.append(TEXT)
        values["pattern"] = listing.pattern(where.text.strip())  # rule 2
    return parts, values


def _place(written: str) -> tuple[int, str, str]:
    """Return whether the last was sound, its host and its id. Raises ValueError."""
    sound, agent, host = written.split(" ", maxsplit=2)
    return int(bool(int(sound))), host, agent
