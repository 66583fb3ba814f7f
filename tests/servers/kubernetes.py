"""Offer the cluster in memory over HTTPS as an API server does, to us and to the real kubectl."""

import base64
import contextlib
import copy
import datetime as dt
import http.server
import ipaddress
import json
import pathlib
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers import kubernetes_cluster as clusters
from tests.servers import kubernetes_events

TOKEN = "of-a-service-account"
GROUPS = {
    "api/v1": {"pods": "Pod", "nodes": "Node", "events": "Event"},
    "apis/apps/v1": {"deployments": "Deployment", "replicasets": "ReplicaSet"},
    "apis/autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
}


@dataclass
class Server:
    cluster: clusters.Cluster
    address: str
    place: pathlib.Path
    requests: list[str] = field(default_factory=list)  # method and path with its query
    forbidden: set[str] = field(default_factory=set)  # methods that this account may not use
    events: kubernetes_events.EventLog = field(default_factory=kubernetes_events.EventLog)
    meddle: Any = None  # called with method and path before a request is served

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
    """Serve an empty cluster until the block ends."""
    _certificate(place)
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
        listener.shutdown()
        listener.server_close()
        thread.join()


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
            found = self._found(body)
            if found is not None:  # None: it was answered as it came
                self._answer(200, found)
        except clusters.Failure as failure:
            self._answer(
                failure.status,
                {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Failure",
                    "message": str(failure),
                    "reason": failure.reason,
                    "code": failure.status,
                },
            )

    def _answer(self, status: int, found: Any) -> None:
        stored = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(stored)))
        self.end_headers()
        self.wfile.write(stored)

    def _found(self, body: bytes) -> Any:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise clusters.Failure(401, "Unauthorized", "Unauthorized")
        if self.command in self.server_of.forbidden:
            raise clusters.Failure(403, "Forbidden", f"cannot {self.command}")
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        path = address.path.strip("/")
        discovered = _discovery(path)
        if discovered is not None:
            return discovered
        if path.endswith("events") and self.command == "GET":
            return self._events(path, query)
        for group, resources in GROUPS.items():
            if path.startswith(f"{group}/"):
                rest = path.removeprefix(f"{group}/").split("/")
                namespace = ""
                if rest[0] == "namespaces":
                    namespace, rest = rest[1], rest[2:]
                if rest and rest[0] in resources:
                    return self._resource(group, namespace, rest, query, body)
        raise clusters.Failure(404, "NotFound", "the server could not find the requested resource")

    def _events(self, path: str, query: dict[str, str]) -> Any:
        namespace = path.split("/")[3] if "/namespaces/" in path else ""
        log = self.server_of.events
        if query.get("watch") not in {"1", "true"}:
            return log.page(namespace, int(query.get("limit", 0)), query.get("continue", ""))
        lines = log.watch(namespace, query["resourceVersion"], float(query["timeoutSeconds"]))
        next(lines)  # raises 410 before anything is answered, as the API server does
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):  # the watcher went away
            for line in lines:
                if line:
                    self._chunk(line)
            self._chunk(b"")
        return None

    def _chunk(self, line: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    def _resource(
        self, group: str, namespace: str, rest: list[str], query: dict[str, str], body: bytes
    ) -> Any:
        cluster, resource = self.server_of.cluster, rest[0]
        dry_run = query.get("dryRun") == "All"
        if len(rest) == 1 and self.command == "POST":
            made = json.loads(body)
            made["metadata"].update({"namespace": namespace} if namespace else {})
            made["metadata"].pop("creationTimestamp", None)
            made.pop("status", None)
            return cluster.create(resource, namespace, made)
        if len(rest) == 1:
            found = cluster.each(resource, namespace, query.get("labelSelector", ""))
            return {
                "kind": f"{GROUPS[group][resource]}List",
                "apiVersion": group.partition("/")[2],
                "metadata": {"resourceVersion": "1"},
                "items": found,
            }
        key = (resource, namespace, rest[1])
        if self.command == "GET":
            found_one = cluster.get(key)
            return _scale_of(found_one) if rest[2:] == ["scale"] else found_one
        if self.command == "DELETE":
            options = json.loads(body) if body else {}
            return cluster.delete(key, options.get("preconditions") or {}, dry_run=dry_run)
        old = cluster.get(key)
        if rest[2:] == ["scale"]:
            wanted = _patched(_scale_of(old), self._content(), body)
            old["spec"]["replicas"] = wanted["spec"]["replicas"]
            return _scale_of(cluster.update(key, old, dry_run=dry_run))
        return cluster.update(key, _patched(old, self._content(), body), dry_run=dry_run)

    def _content(self) -> str:
        return "" if self.command == "PUT" else self.headers.get("Content-Type", "")


def _patched(old: Any, content: str, body: bytes) -> Any:
    change = json.loads(body)
    match content.partition(";")[0]:
        case "":
            return change
        case "application/json-patch+json":
            return _json_patched(copy.deepcopy(old), change)
        case "application/merge-patch+json" | "application/strategic-merge-patch+json" as kind:
            return _merged(old, change, by_name="strategic" in kind)
        case other:
            raise clusters.Failure(415, "UnsupportedMediaType", other)


def _json_patched(found: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902, the operations that clients of these objects send."""
    for operation in operations:
        *way, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        parent = found
        for key in way:
            parent = parent[int(key)] if isinstance(parent, list) else parent.get(key)
            if parent is None:
                raise clusters.Failure(422, "Invalid", f"{operation['path']}: missing path")
        match operation["op"]:
            case "add" | "replace" as op:
                if op == "replace" and last not in parent:
                    raise clusters.Failure(422, "Invalid", f"{operation['path']}: missing key")
                parent[last] = operation["value"]
            case "remove":
                if last not in parent:
                    raise clusters.Failure(422, "Invalid", f"{operation['path']}: missing key")
                del parent[last]
            case "test":
                if parent.get(last) != operation["value"]:
                    raise clusters.Failure(422, "Invalid", f"testing {operation['path']} failed")
            case other:
                raise clusters.Failure(400, "BadRequest", f"no operation {other}")
    return found


def _merged(old: Any, change: Any, *, by_name: bool) -> Any:
    """RFC 7386; the strategic kind merges lists of named things by their names."""
    if not isinstance(change, dict) or not isinstance(old, dict):
        named = isinstance(change, list) and change and "name" in change[0]
        if by_name and named and isinstance(old, list):
            kept = {one["name"]: one for one in old}
            for one in change:
                kept[one["name"]] = _merged(kept.get(one["name"], {}), one, by_name=True)
            return list(kept.values())
        return change
    merged = dict(old)
    for key, value in change.items():
        if key.startswith("$"):
            continue
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(old.get(key, {}), value, by_name=by_name)
    return merged


def _scale_of(one: Any) -> Any:
    meta = {name: one["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": one["spec"]["replicas"]},
        "status": {"replicas": one.get("status", {}).get("replicas", 0)},
    }


def _discovery(path: str) -> Any:
    if path == "version":
        return {"major": "1", "minor": "31", "gitVersion": "v1.31.0"}
    if path == "api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "apis":
        groups = []
        for group in ("apps/v1", "autoscaling/v2"):
            version = {"groupVersion": group, "version": group.partition("/")[2]}
            name = group.partition("/")[0]
            groups.append({"name": name, "versions": [version], "preferredVersion": version})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if path in GROUPS:
        verbs = ["get", "list", "create", "update", "patch", "delete", "watch"]
        resources = []
        for name, kind in GROUPS[path].items():
            one = {"name": name, "kind": kind, "verbs": verbs, "namespaced": name != "nodes"}
            resources.append({**one, "singularName": kind.lower()})
        if "deployments" in GROUPS[path]:
            scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
            resources.append(
                {"name": "deployments/scale", "namespaced": True, "verbs": verbs, **scale}
            )
        version = path.removeprefix("apis/").removeprefix("api/")
        return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    return None


def _certificate(place: pathlib.Path) -> None:
    """Make an authority and a certificate of 127.0.0.1 that it signed."""
    now = dt.datetime.now(dt.UTC)
    authority, own = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test cluster")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kube-apiserver")])

    def signed(name: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(authority, hashes.SHA256())

    pem = serialization.Encoding.PEM
    (place / "ca.pem").write_bytes(signed(issuer, authority, ca=True).public_bytes(pem))
    (place / "server.pem").write_bytes(signed(subject, own, ca=False).public_bytes(pem))
    plain = serialization.NoEncryption()
    (place / "server.key").write_bytes(
        own.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
