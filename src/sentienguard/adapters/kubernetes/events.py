"""A cluster's events for the centre: list, watch, and whose a pod is. Offers ports.cluster_events.

Reads with GET and nothing else; its account needs `list` and `watch` of events and `get` of pods
and replicasets. Rules:

1. A watch goes on from the version that was listed, asks for bookmarks, and ends by itself after
   `WATCH_S`, so that whoever waits in it looks up now and then.
2. 410 is `Expired`, as a status or inside the watch: the cluster no longer knows the version.
3. A line that is no event is the end of this watch and not the end of watching: what came before it
   was told, and its version is where the next one goes on.
"""

import contextlib
import json
import socket
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sentienguard.adapters.kubernetes.api import Api, Connect, Credentials, Gone
from sentienguard.ports import remote_objects
from sentienguard.ports.cluster_events import ClusterAway, ClusterRefused, Expired, Heard, Listed

WATCH_S: Final = 60
LIMIT_S: Final = 10.0  # of one request
MOST_EVENTS: Final = 5000  # of one namespace that are listed; a busy one has hundreds in an hour
_GONE: Final = 410
_GONE_WORD: Final = f"status {_GONE}"


class Events:
    """Events of one namespace of a cluster, or of all of it."""

    def __init__(
        self, credentials: Credentials, namespace: str = "", connect: Connect | None = None
    ) -> None:
        """Take where it is; an empty namespace is all of them. `connect` judges where it goes."""
        self._api = Api(credentials, connect)
        within = f"/namespaces/{urllib.parse.quote(namespace, safe='')}" if namespace else ""
        self._path = f"/api/v1{within}/events"
        self._lock = threading.Lock()
        self._closed = False
        self._connection: socket.socket | None = None

    def list(self) -> Listed:
        """Return what is there; see ports.cluster_events."""
        found: list[Mapping[str, Any]] = []
        more = 0
        version = ""
        try:
            for page in self._api.pages(self._path, {}, LIMIT_S):
                version = str(_meta(page).get("resourceVersion", ""))
                items = [one for one in page.get("items") or () if isinstance(one, dict)]
                room = MOST_EVENTS - len(found)
                found += items[:room]
                more += len(items[room:])
                if more:
                    break
        except remote_objects.Unreachable as cause:
            raise ClusterAway(str(cause)) from cause
        except remote_objects.Refused as cause:
            raise _refusal(cause) from cause
        except (OSError, UnicodeError) as cause:  # a token or a CA that cannot be read
            raise ClusterRefused(str(cause)) from cause
        return Listed(version, tuple(found), more)

    def watch(self, version: str) -> Iterator[Heard]:
        """Yield what happens; see ports.cluster_events."""
        query = {
            "watch": "1", "allowWatchBookmarks": "true", "resourceVersion": version,
            "timeoutSeconds": str(WATCH_S),
        }  # fmt: skip
        path = f"{self._path}?{urllib.parse.urlencode(query)}"
        try:
            for line in self._api.stream(path, WATCH_S + LIMIT_S, self._opened):
                yield _heard(line)
        except remote_objects.Unreachable as cause:
            raise ClusterAway(str(cause)) from cause
        except remote_objects.Refused as cause:
            raise _refusal(cause) from cause
        except (OSError, UnicodeError) as cause:
            raise ClusterRefused(str(cause)) from cause

    def deployment_of(self, namespace: str, pod: str) -> str:
        """Return whose a pod is; see ports.cluster_events."""
        owner = self._owner("/api/v1", namespace, "pods", pod, "ReplicaSet")
        if not owner:
            return ""
        return self._owner("/apis/apps/v1", namespace, "replicasets", owner, "Deployment")

    def close(self) -> None:
        """End the watch that is under way, and every later one."""
        with self._lock:
            self._closed = True
            self._end()

    def _opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._connection = connection
            if self._closed:
                self._end()

    def _end(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                # Of the base class: that of TLS would take the reader's state away from under it.
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)

    def _owner(self, group: str, namespace: str, resource: str, name: str, kind: str) -> str:
        place = "/".join(urllib.parse.quote(one, safe="") for one in (namespace, resource, name))
        try:
            found, _ = self._api.get(f"{group}/namespaces/{place}", LIMIT_S)
        except Gone:
            return ""
        except remote_objects.Unreachable as cause:
            raise ClusterAway(str(cause)) from cause
        except remote_objects.Refused as cause:
            raise ClusterRefused(str(cause)) from cause
        for one in _meta(found).get("ownerReferences") or ():
            if isinstance(one, dict) and one.get("kind") == kind and one.get("controller"):
                return str(one.get("name", ""))
        return ""


def _heard(line: bytes) -> Heard:
    try:
        said = json.loads(line)
        kind, found = said["type"], said["object"]
        version = str(_meta(found).get("resourceVersion", ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as cause:
        raise ClusterAway(f"a watch said what is no event: {line[:80]!a}") from cause  # rule 3
    if kind == "ERROR":
        if found.get("code") == _GONE:  # rule 2
            raise Expired(str(found.get("message", ""))[:200])
        raise ClusterAway(f"the watch ended: {str(found.get('message', ''))[:200]!a}")
    happened = kind in {"ADDED", "MODIFIED"}
    return Heard(version, found if happened else None)


def _meta(found: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = found.get("metadata")
    return meta if isinstance(meta, dict) else {}


def _refusal(cause: remote_objects.Refused) -> Expired | ClusterRefused:
    return Expired(str(cause)) if _GONE_WORD in str(cause) else ClusterRefused(str(cause))
