"""The OpenAI-compatible protocol: `POST /chat/completions`, whole or streamed.

Spoken by OpenAI itself and by most servers of open models (vLLM, Ollama, llama.cpp and others). The
two differ in the name of the limit: OpenAI's newer models refuse `max_tokens`, the others know no
other (`limit_name`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sentienguard.adapters.adviser_endpoint import events, wire
from sentienguard.ports.adviser import Call, Question, Reply

_CUT_OFF: Final = "length"
_FILTERED: Final = "content_filter"


@dataclass(frozen=True, slots=True)
class Chat:
    """Writes and reads the bodies of this protocol."""

    limit_name: str
    path: str = "/chat/completions"

    def headers(self, key: str) -> Mapping[str, str]:
        """Return what names the caller."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def body(self, model: str, question: Question, *, stream: bool) -> dict[str, Any]:
        """Return the request."""
        wanted: dict[str, Any] = {
            "model": model,
            "messages": _messages(question),
            self.limit_name: question.most_tokens,
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "opinion",
                    "strict": True,
                    "schema": dict(question.answer),
                },
            },
        }
        if question.tools:
            wanted["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": one.name,
                        "description": one.description,
                        "parameters": dict(one.schema),
                    },
                }
                for one in question.tools
            ]
            wanted["tool_choice"] = "auto" if question.may_ask else "none"
        if stream:
            wanted["stream"] = True
            wanted["stream_options"] = {"include_usage": True}
        return wanted

    def whole(self, heard: bytes) -> Reply:
        """Read an answer in one piece. Raises wire.NotTheProtocol."""
        found = wire.parsed(heard)
        choices = wire.rows(found, "choices")
        if not choices:
            raise wire.NotTheProtocol("the answer has no `choices`")
        message = wire.member(choices[0], "message")
        said = _Said(
            text=[wire.text(message, "content")],
            refusal=[wire.text(message, "refusal")],
            ended=wire.text(choices[0], "finish_reason"),
            usage=found.get("usage"),
        )
        for at, one in enumerate(wire.rows(message, "tool_calls")):
            said.add_call(at, one)
        return said.reply()

    def streamed(self, heard: bytes) -> Reply:
        """Read a stream. Raises wire.NotTheProtocol, also where it stops before its end."""
        said = _Said()
        for chunk in events.objects(heard):
            if "error" in chunk:
                raise wire.NotTheProtocol("the stream ended with an error")
            said.usage = chunk.get("usage") or said.usage
            for choice in wire.rows(chunk, "choices")[:1]:
                delta = choice.get("delta") or {}
                said.text.append(wire.text(delta, "content"))
                said.refusal.append(wire.text(delta, "refusal"))
                for one in wire.rows(delta, "tool_calls"):
                    said.add_call(wire.count(one, "index") or 0, one)
                said.ended = wire.text(choice, "finish_reason") or said.ended
        if not said.ended:
            raise wire.NotTheProtocol("the stream ended before the answer did")
        return said.reply()


@dataclass(slots=True)
class _Said:
    """What a turn is put together from."""

    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, list[str]] = field(default_factory=dict)  # id, name, pieces of arguments
    ended: str = ""
    usage: Any = None

    def add_call(self, at: int, one: Mapping[str, Any]) -> None:
        function = wire.member(one, "function")
        known = self.calls.setdefault(at, ["", ""])
        known[0] = known[0] or wire.text(one, "id")
        known[1] = known[1] or wire.text(function, "name")
        known.append(wire.text(function, "arguments"))

    def reply(self) -> Reply:
        refusal = "".join(self.refusal)
        if self.ended == _FILTERED and not refusal:
            refusal = "the service filtered the answer"
        return Reply(
            text="".join(self.text),
            calls=tuple(
                Call(identity or f"call_{at}", name, "".join(pieces))
                for at, (identity, name, *pieces) in sorted(self.calls.items())
            ),
            refusal=refusal,
            is_whole=self.ended != _CUT_OFF,
            tokens_in=wire.count(self.usage, "prompt_tokens"),
            tokens_out=wire.count(self.usage, "completion_tokens"),
            sent=b"",
            heard=b"",
        )


def _messages(question: Question) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = [
        {"role": "system", "content": question.instructions},
        {"role": "user", "content": question.prompt},
    ]
    for one in question.rounds:
        said.append(
            {
                "role": "assistant",
                "content": one.text or None,
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments},
                    }
                    for call in one.calls
                ],
            }
        )
        said += [
            {"role": "tool", "tool_call_id": call.id, "content": answer}
            for call, answer in zip(one.calls, one.answers, strict=True)
        ]
    return said
