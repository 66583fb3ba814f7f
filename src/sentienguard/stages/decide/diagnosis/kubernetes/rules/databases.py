"""Databases that refuse, are full, or may not write, seen through those who use them.

Fires on what clients and databases say where a crash or failing requests stand beside it. Refused
credentials are the matter of the client that has them wrong; a full or read-only database is its
own matter, and more than one client tells.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, observation

_REFUSED: Final = re.compile(
    r"Access denied for user|password authentication failed|authentication failed|"
    r"WRONGPASS|NOAUTH|SQLState: 28000|invalid credentials",
    re.IGNORECASE,
)
_FULL: Final = re.compile(
    r"Too many connections|too many clients|connection slots are reserved|max_connections|"
    r"max number of clients reached|ERROR 1040|SQLState: 08004",
    re.IGNORECASE,
)
_READ_ONLY: Final = re.compile(
    r"--read-only option|--super-read-only|read-only transaction|READONLY You can't write|"
    r"database is read-?only|cannot execute \w+ in a read-only",
    re.IGNORECASE,
)
_UNREACHED: Final = re.compile(
    r"Communications link failure|could not connect to server|Connection refused|connect timed out",
    re.IGNORECASE,
)
_ENOUGH: Final = 2  # clients that say the same of one database


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge what is said about each database."""
    stores = _stores(seen)
    yield from _full(seen, stores)
    read_only: dict[str, list[str]] = {}
    for client in seen.cluster.workloads:
        texts = [log.text for log in seen.believed_logs(client)]
        refused = next((text for text in texts if _REFUSED.search(text)), "")
        crashed = client in seen.crashing or client in seen.down
        if refused and crashed:
            # Which database it is may stand where nobody can read it, in a secret or in its code.
            yield finding.workload(
                client,
                "database_credentials_refused",
                0.95 if stores.get(client) else 0.88,
                "it does not start: its database refuses it",
                refused[:160],
            )
        elif crashed and not any(texts):
            yield from _refused_by(seen, client, stores.get(client, ()))
        unreached = next((text for text in texts if _UNREACHED.search(text)), "")
        if unreached and not refused and crashed and _others_reach(seen, stores, client):
            yield finding.workload(
                client,
                "database_port_wrong",
                0.8,
                "it does not reach its database, which others do",
                unreached[:160],
            )
        if any(_READ_ONLY.search(text) for text in texts):
            for store in stores.get(client, ()):
                read_only.setdefault(store, []).append(client)
    for store, clients in sorted(read_only.items()):
        yield finding.workload(
            store,
            "database_read_only",
            0.9 if len(clients) >= _ENOUGH else 0.6,  # words alone, below what settings show
            f"{', '.join(clients[:5])} may not write to it",
            hurts=frozenset({store, *clients}),
        )


def _refused_by(
    seen: observation.Observed, client: str, used: tuple[str, ...]
) -> Iterator[finding.Finding]:
    """Ask a database about a client that ends without a word while others of it run."""
    for store in used:
        said = [log.text for log in seen.told_of(store, client) if _REFUSED.search(log.text)]
        if said and client in seen.crashing:
            yield finding.workload(
                client,
                "database_credentials_refused",
                0.7,
                f"it ends without a word, and {store} refuses somebody",
                said[0][:160],
            )


def _others_reach(
    seen: observation.Observed, stores: Mapping[str, tuple[str, ...]], client: str
) -> bool:
    """Tell whether the databases of a client run, and most of those who use them do too."""
    used = stores.get(client, ())
    others = [name for name, theirs in stores.items() if name != client and set(theirs) & set(used)]
    well = [name for name in others if name not in seen.down]
    return bool(used) and not set(used) & seen.down and len(well) * 2 > len(others)


def _stores(seen: observation.Observed) -> Mapping[str, tuple[str, ...]]:
    """Say for each workload which databases it is configured to use."""
    found: dict[str, tuple[str, ...]] = {}
    for name, calls in seen.cluster.calls.items():
        used = set()
        for address in calls:
            service = seen.cluster.services.get(address.service)
            if service and service.workload and _is_store(address.setting, service.workload):
                used.add(service.workload)
        found[name] = tuple(sorted(used))
    return found


def _is_store(setting: str, workload: str) -> bool:
    words = f"{setting} {workload}".lower()
    kinds = ("sql", "mongo", "redis", "maria", "database", "postgres", "_db", "db-", "cassandra")
    return any(kind in words for kind in kinds)


def _full(
    seen: observation.Observed, stores: Mapping[str, tuple[str, ...]]
) -> Iterator[finding.Finding]:
    for store in sorted({store for used in stores.values() for store in used}):
        workload = seen.cluster.workloads[store]
        heard = [
            event.message
            for pod in workload.pods
            for event in pod.warnings
            if _FULL.search(event.message)
        ]
        clients = [
            name
            for name, used in stores.items()
            if store in used and any(_FULL.search(log.text) for log in seen.believed_logs(name))
        ]
        if heard or len(clients) >= _ENOUGH:
            suffering = {
                name for name, used in stores.items() if store in used and seen.suffers(name)
            }
            yield finding.workload(
                store,
                "database_connections_exhausted",
                0.97 if heard else 0.85,
                *(heard[:1] or [f"{len(clients)} clients get no connection"]),
                hurts=frozenset({store, *suffering}),
            )
