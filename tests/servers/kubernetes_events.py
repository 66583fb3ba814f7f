"""Events of a cluster as an API server tells them: pages, watches, bookmarks, 410 Gone."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from tests.servers import kubernetes_fates as fates

Object = dict[str, Any]
Judge = Callable[[str, str, str, Any], list[str]]  # where, apiVersion, kind, what is told


class EventLog:
    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.changed = threading.Condition()
        self.events: dict[str, Object] = {}  # by uid, as they are now
        self.log: list[tuple[int, str, bytes]] = []  # version, namespace, line of a watch
        self.version = 100
        self.oldest = 0  # a watch from before it is 410
        self.watches = 0  # that were begun
        self.ended = 0  # watches begun before it end

    def say(self, reason: str, message: str = "", *, uid: str = "", **more: Any) -> str:
        """Tell an event, or with a known uid tell it again; return its uid."""
        with self.changed:
            uid = uid or str(uuid.uuid4())
            known = self.events.get(uid)
            at = more.pop("at", "2026-02-12T11:26:00Z")
            about = {
                "kind": more.pop("kind", "Pod"),
                "namespace": more.pop("namespace", "prod"),
                "name": more.pop("name", "web-5d4-1"),
            }
            made = {
                "apiVersion": "v1", "kind": "Event", "involvedObject": about, "reason": reason,
                "message": message, "type": "Warning", "count": 1,
                "firstTimestamp": known["firstTimestamp"] if known else at, "lastTimestamp": at,
                "source": {"component": "kubelet"}, **more,
            }  # fmt: skip
            self.version += 1
            made["metadata"] = {
                "uid": uid, "name": f"{about['name']}.{uid[:8]}", "namespace": about["namespace"],
                "resourceVersion": str(self.version), "creationTimestamp": made["firstTimestamp"],
            }  # fmt: skip
            self.events[uid] = made
            self._say(about["namespace"], "MODIFIED" if known else "ADDED", "Event", made)
            return uid

    def bookmark(self) -> None:
        """Tell watches the version and nothing else."""
        with self.changed:
            self.version += 1
            meta = {"resourceVersion": str(self.version), "creationTimestamp": None}
            said = {"kind": "Event", "apiVersion": "v1", "metadata": meta, "involvedObject": {}}
            self._say("", "BOOKMARK", "Event", said)

    def raw(self, line: bytes, end: bytes = b"\n") -> None:
        """Tell watches something else, which nobody judges."""
        with self.changed:
            self.version += 1
            self._push("", line, end)

    def compact(self) -> None:
        """Forget every version until now, and say so to watches."""
        with self.changed:
            self.version += 1
            self.oldest = self.version
            said = {"status": "Failure", "reason": "Expired", "message": "too old resource version"}
            status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 410, **said}
            self._say("", "ERROR", "Status", status)
            self.log.clear()
            self.end()

    def end(self) -> None:
        """End the watches that are under way."""
        with self.changed:
            self.ended = self.watches
            self.changed.notify_all()

    def page(self, namespace: str, limit: int, onward: str, fields: str = "") -> Object:
        with self.changed:
            found = [
                one
                for one in self.events.values()
                if namespace in {"", one["involvedObject"]["namespace"]}
                and fates.selected(fields, fates.fields_of(one, fields))
            ]
            first = int(onward or 0)
            last = first + limit if limit else len(found)
            meta = {"resourceVersion": str(self.version)}
            if last < len(found):
                meta["continue"] = str(last)
            return {"kind": "EventList", "apiVersion": "v1", "metadata": meta,
                    "items": found[first:last]}  # fmt: skip

    def watch(self, namespace: str, version: str, timeout_s: float) -> Iterator[bytes]:
        """Yield nothing once, then lines. Raises 410 for a version that was forgotten."""
        until = time.monotonic() + timeout_s
        with self.changed:
            if int(version) < self.oldest:
                raise fates.Failure(410, "Expired", "too old resource version")
            self.watches += 1
            mine = self.watches
            self.changed.notify_all()
        yield b""
        reached = int(version)
        while True:
            with self.changed:
                fresh = [one for one in self.log if one[0] > reached]
                if not fresh:
                    if mine <= self.ended or time.monotonic() > until:
                        return
                    self.changed.wait(min(0.2, timeout_s))
                    continue
            for at, within, line in fresh:
                reached = at
                if namespace in {"", within} or not within:
                    yield line

    def _say(self, namespace: str, how: str, kind: str, said: Object) -> None:
        line = {"type": how, "object": said}
        self.judge("told to a watch", "v1", "WatchEvent", line)
        self.judge("told to a watch", "v1", kind, said)
        self._push(namespace, json.dumps(line).encode())

    def _push(self, namespace: str, line: bytes, end: bytes = b"\n") -> None:
        self.log.append((self.version, namespace, line + end))
        self.changed.notify_all()
