"""Leave COUNT dead children uncollected.

    parent.py COUNT READY [collects]

Makes the file READY once all of them are dead. With `collects` it then collects them when SIGCHLD
arrives again; without it never does.
"""

# ruff: noqa: INP001, TID251 - a program of its own, which may wait

import os
import pathlib
import signal
import sys
import time

children = []
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        os._exit(0)
    children.append(child)
for child in children:
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # dead, and not collected


def collect(*_: object) -> None:
    """Collect them all."""
    for child in children:
        os.waitpid(child, os.WNOHANG)
    children.clear()


if sys.argv[3:] == ["collects"]:
    signal.signal(signal.SIGCHLD, collect)
pathlib.Path(sys.argv[2]).touch()
while True:
    time.sleep(60)
