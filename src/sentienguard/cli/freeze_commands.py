"""`freeze` and `unfreeze`: the kill switch."""

from typing import Annotated

import typer
from rich.text import Text

from sentienguard.cli import client, frame


def freeze(
    reason: Annotated[str, typer.Argument(metavar="REASON", help="Why; kept in the audit log.")],
    data: frame.Data = None,
    as_json: frame.Json = False,
) -> None:
    """Stop everything: nothing is executed anywhere until `unfreeze`."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        standing = asked.put("/freeze", {"reason": reason})
    shown.answer(standing, Text("frozen: nothing runs until `sentienguard unfreeze`"))


def unfreeze(data: frame.Data = None, as_json: frame.Json = False) -> None:
    """Let remedies run again."""
    shown = frame.open_frame(data, as_json)
    with client.connect(shown.data) as asked:
        standing = asked.delete("/freeze")
    shown.answer(standing, Text("not frozen: remedies run as policy says"))
