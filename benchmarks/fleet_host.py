"""One pretended host of the load generator: its readings, its frames, its connections.

Called by benchmarks.fleet_load. It speaks as the agent does: TLS 1.3 with a certificate of its own,
HTTP/1.1 on a connection that is kept, frames that build on the sample acknowledged last, and the
whole text again where the centre does not hold that one. Its polls bring the checkpoint that it
cosigned last.
"""

import asyncio
import math
import random
import ssl
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sentienguard.model.ids import AgentId
from sentienguard.model.telemetry import Sample
from sentienguard.stages.audit import checkpoint
from sentienguard.stages.observe import payload, wire
from sentienguard.trust.keys import SigningKey

NO_CONTENT, OK, CONFLICT = 204, 200, 409
FULL = ("system.disk_usage_percent", "/srv")  # the volume that a planted fault fills
FULL_PERCENT = 98.0
_MOUNTS = ("/", "/boot", "/home", "/srv", "/usr", "/var", "/var/lib", "/var/log")
_LINKS = ("eth0", "eth1", "eth2")
_SERVICES = ("api", "cache", "cron", "db", "mail", "proxy", "queue", "web")
_LIMIT_S = 120.0  # for an answer; the figures say how long they took


def shape() -> dict[tuple[str, str], tuple[float, float]]:
    """Return the 60 readings of a host: where each lies and how far it strays."""
    found: dict[tuple[str, str], tuple[float, float]] = {
        ("system.cpu_percent", ""): (25.0, 6.0),
        ("system.memory_percent", ""): (55.0, 1.0),
        ("system.swap_percent", ""): (2.0, 0.1),
        ("system.load_average_1m", ""): (1.2, 0.3),
        ("system.load_average_5m", ""): (1.1, 0.1),
        ("system.load_average_15m", ""): (1.0, 0.05),
        ("system.processes", ""): (210.0, 5.0),
        ("system.zombies", ""): (0.0, 0.0),
        ("system.open_files_percent", ""): (3.0, 0.2),
        ("system.conntrack_percent", ""): (5.0, 0.4),
        ("system.uptime_s", ""): (86_400.0, 0.0),
    }
    for mount in _MOUNTS:
        found["system.disk_usage_percent", mount] = (41.0, 0.05)
        found["system.disk_free_bytes", mount] = (6e10, 1e8)
        found["system.inode_usage_percent", mount] = (12.0, 0.01)
    for link in _LINKS:
        found["system.network_rx_bytes_per_s", link] = (2e5, 4e4)
        found["system.network_tx_bytes_per_s", link] = (9e4, 2e4)
        found["system.network_errors_per_s", link] = (0.0, 0.0)
    for service in _SERVICES:
        found["service.up", service] = (1.0, 0.0)
        found["service.http_ms", service] = (12.0, 2.0)
    return found


SHAPE = shape()


class Refused(Exception):
    """The centre answered otherwise than expected."""


@dataclass
class Line:
    """One connection that is kept; a request at a time."""

    address: tuple[str, int]
    tls: ssl.SSLContext
    opened: int = 0  # times that it had to be opened
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> None:
        """Shake hands."""
        self.opened += 1
        self._streams = await asyncio.open_connection(*self.address, ssl=self.tls)

    async def post(self, path: str, body: bytes, media: str) -> tuple[int, bytes]:
        """Return status and body. Raises OSError, EOFError where the connection broke."""
        if self._streams is None:
            await self.open()
        assert self._streams is not None
        reader, writer = self._streams
        try:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: {self.address[0]}\r\nContent-Type: {media}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            async with asyncio.timeout(_LIMIT_S):
                answer = await reader.readuntil(b"\r\n\r\n")
                length = _length(answer)
                return int(answer[9:12]), await reader.readexactly(length) if length else b""
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


@dataclass
class Host:
    """One host: who it is, and what was acknowledged last."""

    agent: AgentId
    name: str
    environment: str
    samples: Line
    orders: Line
    seq: int  # of the sample acknowledged last
    chance: random.Random
    witness: SigningKey  # cosigns checkpoints of the log, as its executor would
    cosigned: str | None = None  # the checkpoint that it saw last
    tree_size: int = 0  # of that
    acknowledged: bytes = b""  # text of that sample; empty: the next frame is a full one
    levels: dict[tuple[str, str], float] = field(default_factory=dict)

    def text(self, at: datetime, *, full: bool) -> bytes:
        """Return the next sample's text; `full` plants the fault."""
        seq = self.seq + 1
        values = {
            key: round(base + stray * (self.chance.gauss() + math.sin(seq / 20)), 2)
            if stray
            else base
            for key, (base, stray) in SHAPE.items()
        }
        values["system.uptime_s", ""] = float(86_400 + 30 * (seq % 1_000_000))
        if full:
            values[FULL] = FULL_PERCENT
        sample = Sample(
            agent=self.agent,
            host=self.name,
            environment=self.environment,
            tags={},
            seq=seq,
            at=at,
            values=values,
        )
        return payload.encode(sample)

    def saw(self, note: str) -> None:
        """Cosign a checkpoint, for the next poll; nothing is verified here."""
        size = checkpoint.read_text(checkpoint.read_note(note).text).size
        self.tree_size = size
        self.cosigned = checkpoint.cosign(
            note, f"agent:{self.agent}", self.witness, int(time.time())
        )

    async def push(self, text: bytes) -> None:
        """Send a text until it is acknowledged. Raises Refused, OSError, EOFError."""
        seq = self.seq + 1
        base = self.acknowledged
        status, said = CONFLICT, b""
        while status == CONFLICT:
            if base:
                frame = wire.encode(text, seq, base_seq=seq - 1, base_text=base)
            else:
                frame = wire.encode(text, seq)
            status, said = await self.samples.post("/api/v1/metrics", frame, wire.MEDIA_TYPE)
            if status == CONFLICT and not base:
                break
            base = b""
        if status != NO_CONTENT:
            message = f"{self.name}: sample {seq} was answered {status} {said[:600]!r}"
            raise Refused(message)
        self.seq, self.acknowledged = seq, text


def context(authority: Path, chain: Path) -> ssl.SSLContext:
    """Return what a host with this certificate shakes hands with."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.load_verify_locations(authority)
    made.load_cert_chain(chain)
    return made
