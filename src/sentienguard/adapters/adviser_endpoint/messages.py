"""The Anthropic protocol: `POST /messages`, whole or streamed.

The answer's schema is the input of a tool of its own, which the model has to call in the end: every
model of this protocol knows tools.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sentienguard.adapters.adviser_endpoint import events, wire
from sentienguard.ports.adviser import Call, Question, Reply

VERSION: Final = "2023-06-01"
_OPINION: Final = "give_opinion"  # the tool that takes the answer
_CUT_OFF: Final = "max_tokens"
_REFUSED: Final = "refusal"


@dataclass(frozen=True, slots=True)
class Messages:
    """Writes and reads the bodies of this protocol."""

    path: str = "/messages"

    def headers(self, key: str) -> Mapping[str, str]:
        """Return what names the caller and the protocol's version."""
        named = {"anthropic-version": VERSION}
        return named | {"x-api-key": key} if key else named

    def body(self, model: str, question: Question, *, stream: bool) -> dict[str, Any]:
        """Return the request."""
        wanted: dict[str, Any] = {
            "model": model,
            "max_tokens": question.most_tokens,
            "system": question.instructions,
            "messages": _messages(question),
            "tools": [
                *(
                    {
                        "name": one.name,
                        "description": one.description,
                        "input_schema": dict(one.schema),
                    }
                    for one in question.tools
                ),
                {
                    "name": _OPINION,
                    "description": "Give your opinion. This ends the conversation.",
                    "input_schema": dict(question.answer),
                },
            ],
            "tool_choice": (
                {"type": "any"} if question.may_ask else {"type": "tool", "name": _OPINION}
            ),
        }
        if stream:
            wanted["stream"] = True
        return wanted

    def whole(self, heard: bytes) -> Reply:
        """Read an answer in one piece. Raises wire.NotTheProtocol."""
        found = wire.parsed(heard)
        if wire.text(found, "type") != "message":
            raise wire.NotTheProtocol("the answer is no `message`")
        said = _Said(ended=wire.text(found, "stop_reason"))
        said.count(found.get("usage"))
        for at, block in enumerate(wire.rows(found, "content")):
            said.begin(at, block)
        return said.reply()

    def streamed(self, heard: bytes) -> Reply:
        """Read a stream. Raises wire.NotTheProtocol, also where it stops before its end."""
        said, is_over = _Said(), False
        for event in events.objects(heard):
            match wire.text(event, "type"):
                case "message_start":
                    said.count(wire.member(event, "message").get("usage"))
                case "content_block_start":
                    block = wire.member(event, "content_block")
                    said.begin(wire.count(event, "index") or 0, block, begun=True)
                case "content_block_delta":
                    delta = wire.member(event, "delta")
                    said.add(wire.count(event, "index") or 0, delta)
                case "message_delta":
                    delta = wire.member(event, "delta")
                    said.ended = wire.text(delta, "stop_reason") or said.ended
                    said.count(event.get("usage"))
                case "message_stop":
                    is_over = True
                case "error":
                    raise wire.NotTheProtocol("the stream ended with an error")
                case _:  # ping, the end of a block, and what a later version adds
                    pass
        if not is_over:
            raise wire.NotTheProtocol("the stream ended before the answer did")
        return said.reply()


@dataclass(slots=True)
class _Block:
    """One piece of a turn: text, or a call of a tool."""

    identity: str = ""
    name: str = ""  # empty: text
    pieces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Said:
    """What a turn is put together from."""

    blocks: dict[int, _Block] = field(default_factory=dict)
    ended: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None

    def count(self, usage: Any) -> None:
        tokens_in, tokens_out = (
            wire.count(usage, "input_tokens"),
            wire.count(usage, "output_tokens"),
        )
        self.tokens_in = self.tokens_in if tokens_in is None else tokens_in
        self.tokens_out = self.tokens_out if tokens_out is None else tokens_out

    def begin(self, at: int, block: Mapping[str, Any], *, begun: bool = False) -> None:
        """Take a block: the whole of it, or its beginning, which has no content of its own."""
        match wire.text(block, "type"):
            case "text":
                self.blocks[at] = _Block(pieces=[wire.text(block, "text")])
            case "tool_use":
                whole = [] if begun else [json.dumps(block.get("input"))]
                self.blocks[at] = _Block(wire.text(block, "id"), wire.text(block, "name"), whole)
            case _:  # its thoughts, which are its own
                pass

    def add(self, at: int, delta: Mapping[str, Any]) -> None:
        if at in self.blocks:
            piece = wire.text(delta, "text") or wire.text(delta, "partial_json")
            self.blocks[at].pieces.append(piece)

    def reply(self) -> Reply:
        blocks = [self.blocks[at] for at in sorted(self.blocks)]
        opinions = [one for one in blocks if one.name == _OPINION]
        if len(opinions) > 1:
            raise wire.NotTheProtocol("the answer has more than one opinion")
        text = "".join(
            "".join(one.pieces) for one in opinions or blocks if one.name in {"", _OPINION}
        )
        return Reply(
            text=text,
            calls=tuple(
                Call(one.identity, one.name, "".join(one.pieces) or "{}")
                for one in blocks
                if one.name and not opinions
            ),
            refusal="the model declined to answer" if self.ended == _REFUSED else "",
            is_whole=self.ended != _CUT_OFF,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            sent=b"",
            heard=b"",
        )


def _messages(question: Question) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = [{"role": "user", "content": question.prompt}]
    for one in question.rounds:
        before = [{"type": "text", "text": one.text}] if one.text.strip() else []
        calls = [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call.arguments)}
            for call in one.calls
        ]
        answers = [
            {"type": "tool_result", "tool_use_id": call.id, "content": answer}
            for call, answer in zip(one.calls, one.answers, strict=True)
        ]
        said += [
            {"role": "assistant", "content": [*before, *calls]},
            {"role": "user", "content": answers},
        ]
    return said


def _input(arguments: str) -> Mapping[str, Any]:
    """Return a call's arguments as the protocol wants them back; what is no object is none."""
    try:
        found = json.loads(arguments)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
