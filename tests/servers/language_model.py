"""A language model's server for tests: both protocols, whole and streamed, and all its bad days.

It checks every request as the real services do and answers 400 to what they would refuse; then it
does what the next line of `plan` says, the last one again and again. It never calls out.
"""

import contextlib
import dataclasses
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

KEY = "sk-made-up-for-tests"
WHY = {"reasoning": "Disk grew since the deploy.", "hypothesis": "Rotated logs pile up."}


@dataclasses.dataclass(frozen=True)
class Say:
    """One turn as the model means it."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()  # name, arguments as JSON
    refuses: bool = False
    cut_off: bool = False
    counts: bool = True  # whether it tells its tokens


def opinion(choice: str, **more: str) -> Say:
    """Say an opinion as the schema wants it."""
    return Say(json.dumps({**WHY, "choice": choice, **more}))


Act = Callable[["Handler", dict[str, Any]], None] | Say


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers POST /v1/chat/completions and /v1/messages."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = json.loads(body)
        with self.server.lock:
            self.server.seen.append((self.path, dict(self.headers), body))
            plan = self.server.plan
            act = plan.pop(0) if len(plan) > 1 else plan[0]
        check = {"/v1/chat/completions": wrong_chat, "/v1/messages": wrong_messages}[self.path]
        wrong = check(wanted, dict(self.headers))
        with contextlib.suppress(OSError):
            if wrong:
                self.send(400, json.dumps({"error": {"message": wrong}}).encode())
            elif isinstance(act, Say):
                self.say(act, wanted)
            else:
                act(self, wanted)

    def say(self, said: Say, wanted: dict[str, Any]) -> None:
        chat = self.path.endswith("completions")
        if not wanted.get("stream"):
            answer = chat_whole(said) if chat else messages_whole(said, wanted)
            self.send(200, json.dumps(answer).encode())
            return
        self.send_stream(chat_events(said) if chat else messages_events(said, wanted))

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_stream(self, events: list[bytes], *, pause_s: float = 0.0) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in events:
            self.wfile.write(event)
            self.wfile.flush()
            time.sleep(pause_s)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """The server with its plan and what it saw."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan: list[Act] = [opinion("none_of_these")]
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.seen]


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Run a server until the block ends."""
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


# -- what the services check ---------------------------------------------------------------------


def wrong_chat(  # noqa: C901, PLR0911 - a list of what it refuses
    wanted: dict[str, Any], headers: dict[str, str]
) -> str:
    """Say what OpenAI's service would refuse; empty: nothing."""
    known = {
        *("model", "messages", "max_tokens", "max_completion_tokens", "response_format"),
        *("tools", "tool_choice", "stream", "stream_options"),
    }
    if headers.get("Authorization") != f"Bearer {KEY}":
        return "Incorrect API key provided"
    if unknown := set(wanted) - known:
        return f"Unrecognized request argument: {unknown}"
    if {"max_tokens", "max_completion_tokens"} <= set(wanted):
        return "max_tokens and max_completion_tokens cannot both be set"
    if "stream_options" in wanted and not wanted.get("stream"):
        return "stream_options is only allowed when stream is true"
    if "tool_choice" in wanted and not wanted.get("tools"):
        return "tool_choice is only allowed when tools are specified"
    if wrong := wrong_strict(wanted["response_format"]["json_schema"]["schema"]):
        return wrong
    waiting: list[str] = []
    for message in wanted["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return "messages with role 'tool' must follow a message with tool_calls"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return "tool_calls must be followed by tool messages responding to each tool_call_id"
        waiting = [call["id"] for call in message.get("tool_calls", ())]
        if len(set(waiting)) != len(waiting):
            return "duplicate tool_call_id"
    return "tool calls without answers" if waiting else ""


def wrong_strict(schema: dict[str, Any]) -> str:
    """Say what a strict schema may not lack."""
    if schema.get("additionalProperties") is not False:
        return "Invalid schema: additionalProperties is required to be false"
    if set(schema["required"]) != set(schema["properties"]):
        return "Invalid schema: required must name every property"
    return ""


def wrong_messages(  # noqa: PLR0911 - a list of what it refuses
    wanted: dict[str, Any], headers: dict[str, str]
) -> str:
    """Say what Anthropic's service would refuse; empty: nothing."""
    lowered = {name.lower(): value for name, value in headers.items()}
    if lowered.get("x-api-key") != KEY or lowered.get("anthropic-version") != "2023-06-01":
        return "authentication_error"
    if not {"model", "max_tokens", "messages"} <= set(wanted):
        return "Field required"
    names = [one["name"] for one in wanted["tools"]]
    forced = wanted["tool_choice"].get("name")
    if forced is not None and forced not in names:
        return f"Tool '{forced}' not found in provided tools"
    roles = [one["role"] for one in wanted["messages"]]
    if roles != (["user", "assistant"] * len(roles))[: len(roles)] or roles[-1] != "user":
        return "roles must alternate between user and assistant"
    waiting: list[str] = []
    for message in wanted["messages"]:
        blocks = message["content"] if isinstance(message["content"], list) else []
        answered = [one["tool_use_id"] for one in blocks if one["type"] == "tool_result"]
        if sorted(answered) != sorted(waiting):
            return "tool_use ids were found without tool_result blocks immediately after"
        if any(one["type"] == "text" and not one["text"] for one in blocks):
            return "text content blocks must be non-empty"
        if any(one["type"] == "tool_use" and not isinstance(one["input"], dict) for one in blocks):
            return "tool_use.input: Input should be a valid dictionary"
        waiting = [one["id"] for one in blocks if one["type"] == "tool_use"]
    return ""


# -- the chat protocol ---------------------------------------------------------------------------


def chat_whole(said: Say) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.refuses:
        message |= {"content": None, "refusal": "I'm sorry, I can't help with that."}
    if said.calls:
        message["tool_calls"] = [
            {"id": f"call_{at}", "type": "function", "function": {"name": n, "arguments": a}}
            for at, (n, a) in enumerate(said.calls)
        ]
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "test",
        "choices": [{"index": 0, "message": message, "finish_reason": _chat_end(said)}],
    }
    if said.counts:
        answer["usage"] = {"prompt_tokens": 900, "completion_tokens": 80, "total_tokens": 980}
    return answer


def _chat_end(said: Say) -> str:
    return "length" if said.cut_off else "tool_calls" if said.calls else "stop"


def chat_events(said: Say) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if said.refuses:
        deltas += [{"refusal": "I'm sorry, "}, {"refusal": "I can't help with that."}]
    deltas += [{"content": piece} for piece in _pieces(said.text)]
    for at, (name, arguments) in enumerate(said.calls):
        first = {"index": at, "id": f"call_{at}", "type": "function",
                 "function": {"name": name, "arguments": ""}}  # fmt: skip
        deltas.append({"tool_calls": [first]})
        deltas += [
            {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}
            for piece in _pieces(arguments)
        ]
    choices = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    choices.append([{"index": 0, "delta": {}, "finish_reason": _chat_end(said)}])
    chunks: list[dict[str, Any]] = [
        {"id": "1", "object": "chat.completion.chunk", "choices": one} for one in choices
    ]
    if said.counts:  # some servers say null for the choices of this chunk
        usage = {"prompt_tokens": 900, "completion_tokens": 80}
        chunks.append({"id": "1", "object": "chat.completion.chunk", "choices": None,
                       "usage": usage})  # fmt: skip
    return [*(f"data: {json.dumps(one)}\n\n".encode() for one in chunks), b"data: [DONE]\n\n"]


# -- the messages protocol -----------------------------------------------------------------------


def messages_whole(said: Say, wanted: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "test",
        "content": _blocks(said, wanted),
        "stop_reason": _messages_end(said),
        "stop_sequence": None,
    }
    if said.counts:
        answer["usage"] = {"input_tokens": 900, "output_tokens": 80}
    return answer


def _messages_end(said: Say) -> str:
    return "refusal" if said.refuses else "max_tokens" if said.cut_off else "tool_use"


def _blocks(said: Say, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    if said.refuses:
        return []
    if said.calls:
        calls = [
            {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": json.loads(arguments)}
            for at, (name, arguments) in enumerate(said.calls)
        ]
        return [{"type": "text", "text": "Let me look."}, *calls]
    try:
        given = json.loads(said.text)
    except ValueError:
        return [{"type": "text", "text": said.text}]
    name = wanted["tools"][-1]["name"]
    return [{"type": "tool_use", "id": "toolu_9", "name": name, "input": given}]


def messages_events(said: Say, wanted: dict[str, Any]) -> list[bytes]:
    usage = {"input_tokens": 900, "output_tokens": 1} if said.counts else {}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"type": "message", "content": [], "usage": usage}},
        {"type": "ping"},
    ]
    for at, block in enumerate(_blocks(said, wanted)):
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        events.append({"type": "content_block_start", "index": at, "content_block": empty})
        if block["type"] == "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
        else:
            pieces = _pieces(json.dumps(block["input"]))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        events += [{"type": "content_block_delta", "index": at, "delta": one} for one in deltas]
        events.append({"type": "content_block_stop", "index": at})
    ended = {"stop_reason": _messages_end(said)}
    counted = {"output_tokens": 80} if said.counts else {}
    events.append({"type": "message_delta", "delta": ended, "usage": counted})
    events.append({"type": "message_stop"})
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events]


def _pieces(text: str) -> list[str]:
    return [text[at : at + 17] for at in range(0, len(text), 17)]
