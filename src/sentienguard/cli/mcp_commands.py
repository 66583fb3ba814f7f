"""`mcp`: let another assistant read incidents and propose playbooks."""

import sys

from sentienguard.cli import client, frame, mcp_server


def mcp(data: frame.Data = None) -> None:
    """Serve the Model Context Protocol on standard input and output: it reads and proposes."""
    shown = frame.open_frame(data, as_json=False)
    with client.connect(shown.data) as asked:
        mcp_server.serve(asked, sys.stdin, sys.stdout)
