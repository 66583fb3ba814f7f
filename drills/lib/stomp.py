"""A worker of a queue, and one who sends to it, over STOMP to RabbitMQ. Standard library alone.

    stomp.py work STOMP_PORT QUEUE HEALTH_PORT SECONDS DONE
    stomp.py send STOMP_PORT QUEUE COUNT BYTES

The worker takes that many seconds for each message, writes a line to DONE and acknowledges it. It
holds five at a time. GET /health of its port answers 200 while it is subscribed. SIGUSR1 makes it
deadlock: it keeps what it holds, takes nothing more, and its health address answers nothing.
"""

# ruff: noqa: INP001, TID251 - a program of its own, which may wait

import http.server
import pathlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

PREFETCH = 5
STUCK = threading.Event()


def say(talk: socket.socket, command: str, body: str = "", **headers: str) -> None:
    """Send one frame; `_` of a header's name stands for `-`."""
    lines = [command, *(f"{name.replace('_', '-')}:{text}" for name, text in headers.items())]
    talk.sendall(("\n".join([*lines, "", body]) + "\0").encode())


def connected(port: str) -> socket.socket:
    """Log in."""
    talk = socket.create_connection(("127.0.0.1", int(port)))
    say(talk, "CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest")
    return talk


def frames(talk: socket.socket) -> Iterator[str]:
    """Yield what the broker sends."""
    kept = b""
    while piece := talk.recv(65536):
        *whole, kept = (kept + piece).split(b"\0")
        for one in whole:
            yield one.decode("utf-8", "replace").lstrip()


def work(port: str, queue: str, health: str, pace: str, done: str) -> None:
    """Work off a queue until the connection ends."""
    signal.signal(signal.SIGUSR1, lambda *_: STUCK.set())
    talk = connected(port)
    say(talk, "SUBSCRIBE", id="0", destination=f"/queue/{queue}", ack="client-individual",
        prefetch_count=str(PREFETCH))  # fmt: skip
    threading.Thread(target=answer, args=(int(health),), daemon=True).start()
    for frame in frames(talk):
        mark = next((one[4:] for one in frame.splitlines() if one.startswith("ack:")), "")
        if not frame.startswith("MESSAGE") or not mark:
            continue
        time.sleep(float(pace))
        while STUCK.is_set():
            time.sleep(1)
        with pathlib.Path(done).open("a") as file:
            file.write(f"{frame.rsplit(chr(10), 1)[-1][:16]}\n")
        say(talk, "ACK", id=mark)


def send(port: str, queue: str, count: str, size: str) -> None:
    """Send messages that outlive the broker, each with its number."""
    talk = connected(port)
    told = frames(talk)
    next(told)
    for number in range(int(count)):
        body = f"{number:012d}".ljust(int(size), "x")
        say(talk, "SEND", body, destination=f"/queue/{queue}", persistent="true")
    say(talk, "DISCONNECT", receipt="end")
    for frame in told:
        if frame.startswith("RECEIPT"):
            return


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers for the worker."""

    def do_GET(self) -> None:
        """Say that it is there."""
        while STUCK.is_set():
            time.sleep(1)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet about each request."""


def answer(port: int) -> None:
    """Serve the health address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    {"work": work, "send": send}[sys.argv[1]](*sys.argv[2:])
