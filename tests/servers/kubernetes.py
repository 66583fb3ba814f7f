"""Offer the cluster in memory over HTTPS as an API server does, to us and to the real kubectl.

All that it takes and tells is judged by what Kubernetes publishes (`kubernetes_schema`): what is
wrong is kept in `Server.wrong`, and fails the test when the server ends.
"""

import base64
import contextlib
import http.server
import json
import pathlib
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.servers import (
    kubernetes_authority,
    kubernetes_events,
    kubernetes_patches,
    kubernetes_schema,
)
from tests.servers import kubernetes_cluster as clusters
from tests.servers import kubernetes_discovery as discovery
from tests.servers import kubernetes_fates as fates

TOKEN = "of-a-service-account"
WATCHES_S = 60.0  # a watch that does not say how long
Told = tuple[str, str, Any]  # apiVersion and kind that an answer ought to have, and the answer


@dataclass
class Server:
    cluster: clusters.Cluster
    address: str
    place: pathlib.Path
    requests: list[str] = field(default_factory=list)  # method and path with its query
    forbidden: set[str] = field(default_factory=set)  # methods that this account may not use
    meddle: Any = None  # called with method and path before a request is served
    wrong: list[str] = field(default_factory=list)  # what was taken or told against the schemas
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.events = kubernetes_events.EventLog(self.judge)

    def judge(self, where: str, api_version: str, kind: str, said: Any) -> list[str]:
        """Keep and return what is wrong with an object that ought to be of this kind."""
        found = kubernetes_schema.problems(api_version, kind, said)
        self.wrong += [f"{where}: {one}" for one in found]
        return found

    @property
    def ca_file(self) -> str:
        return str(self.place / "ca.pem")

    @property
    def token_file(self) -> str:
        return str(self.place / "token")

    def kubeconfig(self) -> str:
        """Write a kubeconfig for kubectl and return its path."""
        ca = base64.b64encode((self.place / "ca.pem").read_bytes()).decode()
        cluster = {"server": self.address, "certificate-authority-data": ca}
        context = {"cluster": "test", "user": "test", "namespace": "prod"}
        written = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        (self.place / "kubeconfig").write_text(yaml.safe_dump(written))
        return str(self.place / "kubeconfig")


@contextlib.contextmanager
def running(place: pathlib.Path) -> Iterator[Server]:
    """Serve an empty cluster until the block ends. Raises AssertionError for what was wrong."""
    kubernetes_authority.make(place)
    (place / "token").write_text(TOKEN + "\n")
    served = Server(clusters.Cluster(), "", place)

    class Handler(_Handler):
        server_of = served

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / "server.pem", place / "server.key")
    listener.socket = context.wrap_socket(
        listener.socket, server_side=True, do_handshake_on_connect=False
    )
    served.address = f"https://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.ended.set()
        listener.shutdown()
        listener.server_close()
        thread.join()
    assert served.wrong == [], "against the published schemas:\n" + "\n".join(served.wrong)


class _Handler(http.server.BaseHTTPRequestHandler):
    server_of: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - as http.server calls them

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        try:
            self.server_of.requests.append(f"{self.command} {self.path}")
            if self.server_of.meddle is not None:
                self.server_of.meddle(self.command, self.path)
            self._found(body)
        except fates.Failure as failure:
            said = {"status": "Failure", "message": str(failure), "reason": failure.reason}
            self._tell(failure.status, _status(code=failure.status, **said))

    def _tell(self, status: int, told: Told) -> None:
        self.server_of.judge(f"told to {self.command} {self.path}", *told)
        self._answer(status, told[2])

    def _answer(self, status: int, found: Any) -> None:
        stored = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(stored)))
        self.end_headers()
        self.wfile.write(stored)

    def _found(self, body: bytes) -> None:
        """Answer a request. Raises Failure for what Kubernetes refuses."""
        if body and "json" not in self.headers.get("Content-Type", "json"):
            raise fates.Failure(415, "UnsupportedMediaType", "this server of tests reads JSON")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise fates.Failure(401, "Unauthorized", "Unauthorized")
        if self.command in self.server_of.forbidden:
            raise fates.Failure(403, "Forbidden", f"cannot {self.command}")
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        path = address.path.strip("/")
        if path == "version":
            found = discovery.version()
            self.server_of.wrong += kubernetes_schema.problems_of(kubernetes_schema.INFO, found)
            self._answer(200, found)
        elif (document := discovery.openapi(path)) is not None:
            self._answer(200, document)
        elif (discovered := discovery.answer(path)) is not None:
            self._tell(200, discovered)
        elif path.endswith("events") and self.command == "GET":
            self._events(path, query)
        else:
            self._objects(path, query, body)

    def _objects(self, path: str, query: dict[str, str], body: bytes) -> None:
        for place, resources in discovery.GROUPS.items():
            if path.startswith(f"{place}/"):
                rest = path.removeprefix(f"{place}/").split("/")
                namespace = ""
                if rest[0] == "namespaces" and len(rest) > 2:
                    namespace, rest = rest[1], rest[2:]
                if rest and rest[0] in resources:
                    kind = (discovery.version_of(place), resources[rest[0]])
                    if len(rest) == 1:
                        self._all(kind, namespace, rest[0], query, body)
                    else:
                        self._one(kind, namespace, rest, query, body)
                    return
        raise fates.Failure(404, "NotFound", "the server could not find the requested resource")

    def _events(self, path: str, query: dict[str, str]) -> None:
        namespace = path.split("/")[3] if "/namespaces/" in path else ""
        log = self.server_of.events
        if query.get("watch") not in {"1", "true"}:
            limit, onward = int(query.get("limit", 0)), query.get("continue", "")
            page = log.page(namespace, limit, onward, query.get("fieldSelector", ""))
            self._tell(200, ("v1", "EventList", page))
            return
        lines = log.watch(namespace, query["resourceVersion"], float(query["timeoutSeconds"]))
        next(lines)  # raises 410 before anything is answered, as the API server does
        self._stream(line for line in lines if line)

    def _stream(self, lines: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):  # the watcher went away
            for line in lines:
                self._chunk(line)
            self._chunk(b"")

    def _chunk(self, line: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    def _all(
        self,
        kind: tuple[str, str],
        namespace: str,
        resource: str,
        query: dict[str, str],
        body: bytes,
    ) -> None:
        cluster = self.server_of.cluster
        if self.command == "POST":
            made = self._taken(kind, json.loads(body), query)
            made["metadata"].update({"namespace": namespace} if namespace else {})
            made["metadata"].pop("creationTimestamp", None)
            made.pop("status", None)
            if query.get("dryRun") != "All":
                made = cluster.create(resource, namespace, made)
            self._tell(201, (*kind, made))
            return
        if query.get("watch") in {"1", "true"}:
            self._stream(self._changes(kind, namespace, query))
            return
        with cluster.lock:
            of = (query.get("labelSelector", ""), query.get("fieldSelector", ""))
            found = cluster.each(resource, namespace, *of)
            meta = {"resourceVersion": str(cluster.version)}
        said = {"kind": f"{kind[1]}List", "apiVersion": kind[0], "metadata": meta, "items": found}
        self._tell(200, (kind[0], f"{kind[1]}List", said))

    def _changes(
        self, kind: tuple[str, str], namespace: str, query: dict[str, str]
    ) -> Iterator[bytes]:
        reached = int(query.get("resourceVersion") or 0)
        until = time.monotonic() + float(query.get("timeoutSeconds", WATCHES_S))
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        while time.monotonic() < until and not self.server_of.ended.is_set():
            for version, how, one in self.server_of.cluster.since(reached, 0.2):
                reached = version
                meta = one["metadata"]
                if (
                    one["kind"] == kind[1]
                    and namespace in {"", meta.get("namespace", "")}
                    and fates.selected(labels, meta.get("labels", {}))
                    and fates.selected(fields, fates.fields_of(one, fields))
                ):
                    self.server_of.judge(f"told to GET {self.path}", *kind, one)
                    yield json.dumps({"type": how, "object": one}).encode() + b"\n"

    def _one(
        self,
        kind: tuple[str, str],
        namespace: str,
        rest: list[str],
        query: dict[str, str],
        body: bytes,
    ) -> None:
        cluster, key = self.server_of.cluster, (rest[0], namespace, rest[1])
        dry_run = query.get("dryRun") == "All"
        if rest[2:] == ["scale"]:
            self._tell(200, self._scale(key, query, body))
        elif rest[2:] == ["eviction"] and self.command == "POST":
            given = json.loads(body)
            if given.get("apiVersion") == "policy/v1beta1":  # taken by Kubernetes to this day
                given["apiVersion"] = "policy/v1"
            self._taken(("policy/v1", "Eviction"), given, query)
            cluster.delete(key, {}, dry_run=dry_run)
            self._tell(201, _status(code=201, status="Success"))
        elif rest[2:]:
            raise fates.Failure(404, "NotFound", f"no {'/'.join(rest[2:])} of {rest[0]}")
        elif self.command == "GET":
            self._tell(200, (*kind, cluster.get(key)))
        elif self.command == "DELETE":
            options = json.loads(body) if body else {}
            self._taken(("v1", "DeleteOptions"), options, query)
            left = cluster.delete(key, options.get("preconditions") or {}, dry_run=dry_run)
            self._tell(200, (*kind, left))
        else:
            wanted = kubernetes_patches.patched(cluster.get(key), self._content(), body)
            self._taken(kind, wanted, query)
            self._tell(200, (*kind, cluster.update(key, wanted, dry_run=dry_run)))

    def _scale(self, key: clusters.Key, query: dict[str, str], body: bytes) -> Told:
        kind = ("autoscaling/v1", "Scale")
        old = self.server_of.cluster.get(key)
        if self.command == "GET":
            return (*kind, _scale_of(old))
        wanted = kubernetes_patches.patched(_scale_of(old), self._content(), body)
        self._taken(kind, wanted, query)
        old["spec"]["replicas"] = wanted["spec"]["replicas"]
        dry_run = query.get("dryRun") == "All"
        return (*kind, _scale_of(self.server_of.cluster.update(key, old, dry_run=dry_run)))

    def _taken(self, kind: tuple[str, str], given: Any, query: dict[str, str]) -> Any:
        """Return what a request brought, or left of an object, if it is as published."""
        if query.get("fieldValidation") == "Strict":  # who asks to be judged is only told
            found = kubernetes_schema.problems(*kind, given)
            if found:
                said = f"strict decoding error: {'; '.join(found)}"
                raise fates.Failure(400, "BadRequest", said)
        elif found := self.server_of.judge(f"taken by {self.command} {self.path}", *kind, given):
            raise fates.Failure(422, "Invalid", "; ".join(found))
        return given

    def _content(self) -> str:
        return "" if self.command == "PUT" else self.headers.get("Content-Type", "")


def _status(**said: Any) -> Told:
    return "v1", "Status", {"kind": "Status", "apiVersion": "v1", "metadata": {}, **said}


def _scale_of(one: Any) -> Any:
    meta = {name: one["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": one["spec"]["replicas"]},
        "status": {"replicas": one.get("status", {}).get("replicas", 0)},
    }
