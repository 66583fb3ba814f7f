"""Server-sent events: the bytes of a stream to the JSON objects in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from sentienguard.adapters.adviser_endpoint import wire

_END = "[DONE]"  # how the chat protocol says that nothing follows


def objects(body: bytes) -> Iterator[Mapping[str, Any]]:
    """Return the data of each event, in order. Raises wire.NotTheProtocol.

    An event that the end of the stream cut off is none.
    """
    lines = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    data: list[str] = []
    for line in lines[:-1]:  # the last one is empty, or was cut off
        if line:
            name, _, value = line.partition(":")
            if name == "data":
                data.append(value.removeprefix(" "))
            continue
        said, data = "\n".join(data), []
        if said == _END:
            return
        if said:
            yield wire.parsed(said)
