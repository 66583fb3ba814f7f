"""How many StatsD messages an agent takes in a second, and what memory it needs meanwhile.

    python -m benchmarks statsd [--set messages=400000]

Senders are processes of their own that send as fast as the socket lets them, one message in a
datagram and ten. Every message is accounted for: accepted, or dropped with a reason.
"""

import multiprocessing
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentienguard.agent import collectors
from sentienguard.agent.collectors.statsd import receiver

SENDERS = 2
KINDS = (b"c", b"ms", b"g")


def run(options: Mapping[str, str]) -> dict[str, Any]:
    """Send and count."""
    messages = int(options.get("messages", "400000"))
    return {
        "aim_messages_per_s": 100_000,
        "one_message_in_a_datagram": _measure(messages, together=1, names=20),
        "ten_messages_in_a_datagram": _measure(messages, together=10, names=20),
        "a_new_name_in_each_message": _measure(messages, together=10, names=messages),
    }


def _measure(messages: int, *, together: int, names: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="sg-") as place:
        path = Path(place) / "s"
        statsd = receiver.Statsd(path)
        try:
            before_bytes = _resident()
            first_ns = time.monotonic_ns()
            statsd.read(collectors.Reading(first_ns, 0))
            senders = [
                multiprocessing.Process(
                    target=_send, args=(path, messages // SENDERS, together, names, number)
                )
                for number in range(SENDERS)
            ]
            began, used = time.monotonic(), time.process_time()
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            time.sleep(0.05)  # the last datagrams are being read
            seconds, cpu = time.monotonic() - began, time.process_time() - used
            into = collectors.Reading(time.monotonic_ns(), 0)
            lapse = (into.at_ns - first_ns) / 1e9
            statsd.read(into)
        finally:
            statsd.close()
    counted = {
        subject or "accepted": round(rate * lapse)
        for (name, subject), rate in into.values.items()
        if name.startswith("agent.statsd")
    }
    return {
        "messages_per_s": round(messages / seconds),
        "messages_per_cpu_s_of_the_agent": round(messages / cpu),
        "sent": messages,
        "counted_to_three_digits": counted,
        "memory_grew_bytes": _resident() - before_bytes,
    }


def _send(path: Path, messages: int, together: int, names: int, number: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(str(path))
        for start in range(0, messages, together):
            client.send(
                b"\n".join(
                    b"app.n%d.%d:%d|%b|#route:/a" % (number, at % names, at % 97, KINDS[at % 3])
                    for at in range(start, start + together)
                )
            )


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmRSS")
