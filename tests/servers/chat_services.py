"""Slack, PagerDuty, Teams, Mattermost, Jira and a Standard Webhooks receiver, for tests.

Slack's `response_url`s lie below COMMANDS; each takes five messages, as published.

One server on loopback that refuses what the services' published formats refuse: Block Kit's limits,
the Events v2 schema, adaptive cards, the signature of Standard Webhooks. Everything that it took is
in `taken`; `refuse_next` makes it busy. `push` sends an envelope over the open socket.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import wsproto
from wsproto import events

BOT, APP, SIGNING = "xoxb-1", "xapp-1", "8f742231b10e8888abcd99yyyzzz85a5"
ROUTING = "R0123456789abcdef0123456789abcde"
TEAM, CHANNEL = "T0001", "C0001"
COMMANDS = "/commands"
TRIGGER = "12.12.abc"  # good for one form, for three seconds
WEBHOOK_SECRET = b"0123456789abcdef0123456789abcdef"
JIRA_LOGIN = "Basic " + base64.b64encode(b"bot@example.com:jira-token").decode()


@dataclass
class Services:
    """The running server."""

    address: str = ""
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # what broke a published format
    refuse_next: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    slack_says: list[str] = field(default_factory=list)  # error codes of the next methods
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    opened: int = 0  # sockets
    changed: threading.Condition = field(default_factory=threading.Condition)
    _line: Any = None
    _spoken: Any = None

    def of(self, path: str) -> list[dict[str, Any]]:
        """Return what a path took."""
        return [body for found, body in self.taken if found == path]

    def wait(self, what: Any, seconds: float = 50) -> None:
        """Wait until `what()` holds."""
        with self.changed:
            assert self.changed.wait_for(what, seconds), (self.taken[-3:], self.refused)

    def push(self, envelope: dict[str, Any]) -> None:
        """Send an envelope over the socket, once it is open."""
        self.wait(lambda: self._line is not None)
        self._line.sendall(self._spoken.send(events.TextMessage(json.dumps(envelope))))

    def drop_line(self) -> None:
        """End the socket as Slack does before a restart."""
        self.push({"type": "disconnect", "reason": "refresh_requested"})


def click(action: str, value: str, person: str = "U0001", team: str = TEAM) -> dict[str, Any]:
    """Return a payload as Slack sends it when somebody presses a button."""
    return {
        "type": "block_actions",
        "user": {"id": person, "username": "admin@local", "name": "admin@local", "team_id": team},
        "api_app_id": "A02",
        "token": "deprecated",
        "container": {"type": "message", "message_ts": "1.2", "channel_id": CHANNEL},
        "trigger_id": TRIGGER,
        "team": {"id": team, "domain": "example"},
        "response_url": "http://169.254.169.254/latest/meta-data/",
        "actions": [
            {"action_id": action, "block_id": "answer", "value": value, "type": "button",
             "action_ts": "1548426417.840180",
             "text": {"type": "plain_text", "text": "Approve", "emoji": False}},
        ],
    }  # fmt: skip


def submission(
    view: dict[str, Any], reason: str | None, person: str = "U0001", team: str = TEAM
) -> dict[str, Any]:
    """Return a payload as Slack sends it when somebody hands in a modal that it was told to open.

    Source: docs.slack.dev, view_submission payloads.
    """
    [block] = [one for one in view["blocks"] if one["type"] == "input"]
    name, action = block["block_id"], block["element"]["action_id"]
    values = {name: {action: {"type": "plain_text_input", "value": reason}}}
    return {
        "type": "view_submission",
        "team": {"id": team, "domain": "example"},
        "user": {"id": person, "username": "admin@local", "name": "admin@local", "team_id": team},
        "api_app_id": "A02",
        "token": "deprecated",
        "trigger_id": "13.13.abc",
        "view": {
            **view, "id": "V0001", "team_id": team, "app_id": "A02", "bot_id": "B01",
            "hash": "156772938.1827394", "previous_view_id": None, "root_view_id": "V0001",
            "external_id": "", "state": {"values": values},
        },
        "response_urls": [],
        "is_enterprise_install": False,
        "enterprise": None,
    }  # fmt: skip


def command(text: str, where: str, person: str = "U0001", team: str = TEAM) -> dict[str, str]:
    """Return a slash command as Slack sends it. Source: docs.slack.dev, slash commands."""
    return {
        "token": "deprecated", "team_id": team, "team_domain": "example", "channel_id": CHANNEL,
        "channel_name": "ops", "user_id": person, "user_name": "admin@local",
        "command": "/sentienguard", "text": text, "response_url": where,
        "trigger_id": TRIGGER, "api_app_id": "A02", "is_enterprise_install": "false",
    }  # fmt: skip


def signed(body: bytes, *, at: float | None = None, secret: str = SIGNING) -> dict[str, str]:
    """Return the headers with which Slack signs a body."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    return {
        "X-Slack-Signature": f"v0={digest.hexdigest()}",
        "X-Slack-Request-Timestamp": stamp,
        "Content-Type": "application/x-www-form-urlencoded",
    }


def form(payload: dict[str, Any]) -> bytes:
    """Return the body of an interaction by HTTP."""
    return urllib.parse.urlencode({"payload": json.dumps(payload)}).encode()


@contextmanager
def running() -> Iterator[Services]:
    """Run the server while the block lasts."""
    services = Services()

    class Handler(_Handler):
        world = services

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    services.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield services
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    world: Services
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("upgrade", "").lower() == "websocket":
            self._socket()
            return
        self._say(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        world = self.world
        with world.changed:
            world.headers.append({name.lower(): value for name, value in self.headers.items()})
            if world.refuse_next:
                status, headers = world.refuse_next.pop(0)
                self._say(status, {"ok": False, "error": "ratelimited"}, headers)
                world.changed.notify_all()
                return
            try:
                status, answer = self._judge(body)
            except AssertionError as wrong:
                world.refused.append(f"{self.path}: {wrong}")
                status, answer = 400, {"error": str(wrong)}
            world.changed.notify_all()
        self._say(status, answer)

    def _judge(self, body: bytes) -> tuple[int, Any]:
        world = self.world
        if self.path == "/api/apps.connections.open":
            assert self.headers["authorization"] == f"Bearer {APP}", "app token"
            port = world.address.rpartition(":")[2]
            return 200, {"ok": True, "url": f"ws://127.0.0.1:{port}/link/?ticket=abc&app_id=1"}
        document = json.loads(body)
        kinds = {
            "/api/": _slack, "/v2/enqueue": _pagerduty, "/workflows/": _teams,
            "/hooks/": _mattermost, "/rest/api/3/issue": _jira, "/webhook": _webhook,
            COMMANDS: _late_answer,
        }  # fmt: skip
        judge = next(found for start, found in kinds.items() if self.path.startswith(start))
        answer = judge(self.path, document, self.headers, body, world)
        world.taken.append((self.path, document))
        return answer

    def _say(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _socket(self) -> None:
        world = self.world
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
        )
        spoken = wsproto.Connection(wsproto.ConnectionType.SERVER)
        line = self.connection
        line.sendall(spoken.send(events.TextMessage(json.dumps({"type": "hello"}))))
        line.sendall(spoken.send(events.Ping(b"are you there")))
        with world.changed:
            world.opened += 1
            world._line, world._spoken = line, spoken
            world.changed.notify_all()
        self.close_connection = True
        while True:
            try:
                received = line.recv(65536)
            except OSError:
                return
            if not received:
                return
            spoken.receive_data(received)
            for event in spoken.events():
                if isinstance(event, events.TextMessage):
                    with world.changed:
                        world.acknowledged.append(json.loads(event.data))
                        world.changed.notify_all()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


def _plain(text: Any, most: int) -> None:
    assert text["type"] == "plain_text", "markup would be rendered"
    assert 1 <= len(text["text"]) <= most, "length"


def _context(block: Any) -> None:
    assert 1 <= len(block["elements"]) <= 10
    for one in block["elements"]:
        _plain(one, 3000)


def _actions(block: Any) -> None:
    assert 1 <= len(block["elements"]) <= 25
    ids = [one["action_id"] for one in block["elements"]]
    assert len(set(ids)) == len(ids), "action ids"
    for one in block["elements"]:
        assert one["type"] == "button"
        _plain(one["text"], 75)
        assert len(one.get("value", "")) <= 2000
        assert len(one.get("url", "")) <= 3000
        assert one.get("style", "primary") in {"primary", "danger"}


def _input(block: Any) -> None:
    assert 1 <= len(block["block_id"]) <= 255
    _plain(block["label"], 2000)
    element = block["element"]
    assert element["type"] == "plain_text_input"
    assert 1 <= len(element["action_id"]) <= 255
    assert 0 <= element.get("min_length", 0) <= element.get("max_length", 3000) <= 3000


def _rich_text(block: Any) -> None:
    for section in block["elements"]:
        assert section["type"] == "rich_text_section"
        for one in section["elements"]:
            assert one["text"], "an empty run"
            if one["type"] == "link":
                assert re.fullmatch(r"https?://[^\s<>|]+", one["url"]), "address"
            else:
                assert one["type"] == "text", "a mention"


def read_view(view: Any) -> None:
    """Refuse what views.open refuses. Source: docs.slack.dev, modal views."""
    assert view["type"] == "modal"
    for name in ("title", "submit", "close"):
        _plain(view[name], 24)
    assert len(view.get("callback_id", "")) <= 255
    assert len(view.get("private_metadata", "")) <= 3000
    assert 1 <= len(view["blocks"]) <= 100
    assert set(view) <= {
        "type", "title", "blocks", "close", "submit", "private_metadata", "callback_id",
        "clear_on_close", "notify_on_close", "external_id", "submit_disabled",
    }  # fmt: skip
    for block in view["blocks"]:
        _BLOCKS[block["type"]](block)


def read_answer(answer: Any) -> None:
    """Refuse what Slack would not show as the answer to a command, or would show as markup."""
    assert set(answer) <= {
        "text", "blocks", "response_type", "mrkdwn", "parse", "link_names", "unfurl_links",
        "unfurl_media",
    }  # fmt: skip
    assert answer["response_type"] == "ephemeral"
    assert not re.search(r"<[^>]*>", answer["text"]), "a link or a mention in the fallback"
    assert answer["blocks"]
    for block in answer["blocks"]:
        _BLOCKS[block["type"]](block)


_BLOCKS = {
    "input": _input,
    "rich_text": _rich_text,
    "header": lambda block: _plain(block["text"], 150),
    "section": lambda block: _plain(block["text"], 3000),
    "context": _context,
    "actions": _actions,
}


def _slack(path: str, body: Any, headers: Any, _raw: bytes, world: Services) -> tuple[int, Any]:
    if headers["authorization"] != f"Bearer {BOT}":
        return 200, {"ok": False, "error": "invalid_auth"}
    method = path.rpartition("/")[2]
    methods = {"chat.postMessage", "chat.update", "chat.postEphemeral", "views.open"}
    assert method in methods, "method"
    if world.slack_says:
        return 200, {"ok": False, "error": world.slack_says.pop(0)}
    if method == "views.open":
        assert set(body) == {"trigger_id", "view"}
        if body["trigger_id"] != TRIGGER:  # three seconds after the click it is good no more
            return 200, {"ok": False, "error": "expired_trigger_id"}
        read_view(body["view"])
        return 200, {"ok": True, "view": {"id": "V0001"}}
    assert not re.search(r"<[!@#]", body["text"]), "a mention in the fallback"
    assert body["parse"] == "none", "parse"
    assert not body["link_names"], "link_names"
    if method == "chat.postEphemeral":
        assert body["user"]
        for block in body["blocks"]:
            _BLOCKS[block["type"]](block)
        return 200, {"ok": True, "message_ts": "9.9"}
    if method == "chat.update":
        assert body["ts"]
    assert len(body["blocks"]) <= 50, "blocks"
    for block in body["blocks"]:
        _BLOCKS[block["type"]](block)
    count = sum(1 for found, _ in world.taken if found == "/api/chat.postMessage") + 1
    return 200, {"ok": True, "channel": CHANNEL, "ts": body.get("ts", f"17000000{count:02}.0001")}


def _late_answer(path: str, body: Any, headers: Any, _r: bytes, world: Services) -> tuple[int, Any]:
    assert headers["authorization"] is None, "the address is the permission"
    assert headers["content-type"].startswith("application/json")
    if len(world.of(path)) >= 5:
        return 404, {"ok": False, "error": "used_url"}
    read_answer(body)
    return 200, {"ok": True}


def _pagerduty(_path: str, body: Any, _h: Any, raw: bytes, _w: Services) -> tuple[int, Any]:
    assert len(raw) <= 512 * 1024
    assert body["routing_key"] == ROUTING, "routing key"
    assert len(body["routing_key"]) == 32
    assert body["event_action"] in {"trigger", "acknowledge", "resolve"}
    assert 1 <= len(body["dedup_key"]) <= 255
    assert set(body) <= {
        "routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links",
        "images",
    }  # fmt: skip
    if body["event_action"] == "trigger":
        payload = body["payload"]
        assert 1 <= len(payload["summary"]) <= 1024
        assert payload["source"]
        assert payload["severity"] in {"critical", "error", "warning", "info"}
        assert set(payload) <= {
            "summary", "source", "severity", "timestamp", "component", "group", "class",
            "custom_details",
        }  # fmt: skip
        for one in body.get("links", []):
            assert set(one) <= {"href", "text"}
    return 202, {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}


def _teams(_path: str, body: Any, _h: Any, raw: bytes, _w: Services) -> tuple[int, Any]:
    assert len(raw) <= 28 * 1024
    assert body["type"] == "message"
    [attachment] = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    for block in card["body"]:
        assert block["type"] == "RichTextBlock", "TextBlock renders Markdown"
        assert all(one["type"] == "TextRun" and one["text"] for one in block["inlines"])
    for action in card.get("actions", []):
        assert action["type"] == "Action.OpenUrl"
        assert action["url"].startswith("http")
    return 202, {}


def _mattermost(_path: str, body: Any, _h: Any, _raw: bytes, _w: Services) -> tuple[int, Any]:
    assert 1 <= len(body["text"]) <= 16383
    assert not re.search(r"@(channel|all|here)", body["text"]), "a mention"
    return 200, {}


def _jira(path: str, body: Any, headers: Any, _raw: bytes, _w: Services) -> tuple[int, Any]:
    assert headers["authorization"] == JIRA_LOGIN
    text = body["body"] if path.endswith("/comment") else body["fields"]["description"]
    assert (text["type"], text["version"]) == ("doc", 1)
    for paragraph in text["content"]:
        assert paragraph["type"] == "paragraph"
        assert all(one["type"] == "text" and one["text"] for one in paragraph["content"])
    if path.endswith("/comment"):
        return 201, {"id": "10000"}
    assert 1 <= len(body["fields"]["summary"]) <= 255
    assert all(" " not in one for one in body["fields"]["labels"]), "a label has no space"
    return 201, {"id": "10001", "key": "OPS-7", "self": "https://example.com"}


def _webhook(_path: str, body: Any, headers: Any, raw: bytes, _w: Services) -> tuple[int, Any]:
    name, stamp = headers["webhook-id"], headers["webhook-timestamp"]
    assert abs(time.time() - int(stamp)) < 300, "timestamp"
    signed_ = f"{name}.{stamp}.".encode() + raw
    digest = hmac.new(WEBHOOK_SECRET, signed_, hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(digest).decode()}"
    assert expected in headers["webhook-signature"].split(" "), "signature"
    assert body["type"].startswith("incident.")
    return 204, {}
