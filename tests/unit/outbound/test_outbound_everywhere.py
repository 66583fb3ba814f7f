"""Nothing in the control plane and its adapters opens a connection beside the guarded way out."""

import ast
import pathlib

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[3] / "src/sentienguard"
PLACES = ("adapters", "controlplane")
# What opens connections by itself, and does not judge where they go.
LIBRARIES = frozenset({
    "aiohttp", "boto3", "botocore", "ftplib", "http.client", "httpcore", "httpx", "pycurl",
    "requests", "smtplib", "telnetlib", "urllib.request", "urllib3", "websocket", "websockets",
})  # fmt: skip
CALLS = frozenset({"connect", "create_connection", "connect_ex", "open_connection"})
# Whoever else may, and why. Add no line for what the control plane asks because of a setting or of
# data: hand it ports.outbound instead.
EXCEPTIONS = {
    "adapters/outbound_http/client.py": "the guarded way itself",
    "adapters/notify/mail.py": "smtplib over a socket of the guarded way",
    "adapters/kubernetes/api.py": "http.client: the centre hands it the guarded way's socket; a "
    "relay agent asks what its own settings name, with the standard library alone",
    "adapters/cloudwatch/client.py": "AWS's own client for profiles and roles: it asks AWS, or the "
    "endpoint of the owner's file",
    "adapters/remote_programs/aws_helper.py": "AWS's own client, in a process of a relay agent",
    "adapters/syslog_tls/sender.py": "a person's command sends the log where its option says",
    "adapters/databases/wire.py": "an agent asks the databases that its own settings name",
    "adapters/local_host/http_probe.py": "an agent probes its own host, and what a relay may reach",
    "adapters/local_servers/wire.py": "an agent asks the servers of its own host, on loopback",
    "adapters/local_servers/rabbitmq.py": "an agent asks its own host's broker",
    "adapters/local_servers/resolver.py": "an agent asks its own host's resolver",
}


def opens(source: str) -> set[str]:
    """Return what a module has that opens connections: libraries, and calls on a socket."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            base, name = node.func.value, node.func.attr
            if name in CALLS and isinstance(base, ast.Name) and base.id in {"socket", "asyncio"}:
                found.add(f"{base.id}.{name}")
    known = LIBRARIES | {f"{one}.{call}" for one in ("socket", "asyncio") for call in CALLS}
    return {one for one in known if one in found or any(f.startswith(f"{one}.") for f in found)}


def modules() -> dict[str, str]:
    return {
        str(file.relative_to(SOURCE)): file.read_text("utf-8")
        for place in PLACES
        for file in sorted((SOURCE / place).rglob("*.py"))
    }


def test_only_the_guarded_way_opens_connections():
    found = {name: opens(text) for name, text in modules().items()}
    assert len(found) > 200
    beside = {name: sorted(what) for name, what in found.items() if what and name not in EXCEPTIONS}
    assert not beside, "ask through ports.outbound, which app_outbound opens for a setting"


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_is_still_one(name):
    text = modules()[name]
    assert opens(text) or ".connect((" in text, f"{name} opens nothing: take the line away"


@pytest.mark.parametrize(
    "line",
    [
        "import httpx",
        "import httpx as h",
        "from httpx import AsyncClient",
        "import urllib.request",
        "from urllib import request",
        "from urllib.request import urlopen",
        "from http import client",
        "import requests.sessions",
        "def late():\n    import aiohttp",
        "socket.create_connection(('a', 1))",
        "asyncio.open_connection('a', 1)",
    ],
)
def test_whoever_opens_one_is_found(line):
    assert opens(line)


@pytest.mark.parametrize(
    "line", ["import urllib.parse", "from http import HTTPStatus", "import socket", "way.send(x)"]
)
def test_who_only_reads_addresses_is_not(line):
    assert not opens(line)
