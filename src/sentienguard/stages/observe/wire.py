"""The frame that carries one sample: a short header and a raw deflate stream.

Called by `agent.sender` (encode) and by the control plane's ingest (decode).

Layout, integers big-endian:

    0      version    1
    1      flags      bit 0: the stream needs the text of sample `base` as preset dictionary
    2..5   seq        of this sample, 1 or more
    6..9   base       seq of a sample that the centre acknowledged, below seq; 0 without bit 0
    10..13 checksum   CRC-32 of the text
    14..   deflate    raw stream (RFC 1951) of the text

A text differs from the one before it in a few digits, so with that one as dictionary 170 values
take about 150 bytes; a frame without base uses the dictionary `COMMON`, which is part of version 1.

Rules:

1. Nothing but Malformed or UnknownBase leaves `decode`, whatever the bytes.
2. At most `MAX_TEXT` bytes are ever produced; a stream that would give more is Malformed.
3. The stream ends exactly where the frame ends.
4. The checksum is of the text, so a base that differs between the two sides (a restored backup, an
   agent that lost its counter) is found out: the answer is UnknownBase, and the agent sends a full
   frame.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sentienguard.model import errors

VERSION = 1
MEDIA_TYPE = "application/vnd.sentienguard.sample"
MAX_TEXT = 1 << 20  # bytes of text; a sample of 2,000 values with 200 log lines has about 250 kB
MAX_FRAME = (
    MAX_TEXT + 4096
)  # bytes; a stored (incompressible) stream is barely longer than its text
MAX_SEQ = 0xFFFFFFFF  # a sample a second for 136 years

_HAS_BASE = 0x01
_HEADER = struct.Struct(">BBIII")
_RAW = -zlib.MAX_WBITS  # negative: no zlib header, no trailer; the frame has its own
_WINDOW = 32768  # bytes of a dictionary that deflate can reach

# What most texts of version 1 share, the most common last, where a match is cheapest. Changing it
# is a new version of the frame.
COMMON = (
    b'"service":{"healthy":{"up":{"http_ms":{"paths":{"bytes":,"growth_bytes_per_hour":0}],'
    b'"logs":[{"at_ms":,"file":"/var/log/syslog","text":"/var/lib/postgresql"'
    b'{"v":1,"agent_id":"","host":"","environment":"production","tags":{"service":"","role":""},'
    b'"seq":1,"at_ms":17,"metrics":{"system":{"cpu_percent":0,"disk_free_bytes":{"/":0},'
    b'"disk_usage_percent":{"/":0},"inode_usage_percent":{"/":0},"load_average_15m":0.0,'
    b'"load_average_1m":0.0,"load_average_5m":0.0,"memory_percent":0,'
    b'"network_errors_per_s":{"eth0":0},"network_rx_bytes_per_s":{"eth0":0},'
    b'"network_tx_bytes_per_s":{"eth0":0},"processes":1,"swap_percent":0,"uptime_s":1,"zombies":0}},'
    b'"top":{"cpu":[{"pid":1,"name":"systemd","cpu_percent":0,"memory_bytes":1}],'
    b'"memory":[{"pid":1,"name":"","cpu_percent":0,"memory_bytes":'
)


class Malformed(errors.Rejected):
    """The frame is not one of ours; sending it again gives the same answer."""


class UnknownBase(errors.Unavailable):
    """The centre does not hold the sample that this frame builds on; send a full frame."""


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """What was in a frame."""

    seq: int  # of this sample, 1 to 2**32 - 1; `payload.parse` must find the same one inside
    base_seq: int  # 0: a full frame
    text: bytes  # for `payload.parse`, and as the base of a later frame


def encode(text: bytes, seq: int, *, base_seq: int = 0, base_text: bytes = b"") -> bytes:
    """Frame the text of one sample, on top of an acknowledged one where there is one.

    Raises Malformed where the text or the numbers do not fit a frame.
    """
    if not 0 < seq <= MAX_SEQ or not 0 <= base_seq < seq:
        raise Malformed(f"frame: expected 0 <= base < seq <= {MAX_SEQ}, got {base_seq} and {seq}")
    if len(text) > MAX_TEXT:
        raise Malformed(f"frame {seq}: text has {len(text)} bytes, at most {MAX_TEXT} fit")
    dictionary = _dictionary(base_text) if base_seq else COMMON
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW, zlib.DEF_MEM_LEVEL, zdict=dictionary)
    flags = _HAS_BASE if base_seq else 0
    header = _HEADER.pack(VERSION, flags, seq, base_seq, zlib.crc32(text))
    return header + packer.compress(text) + packer.flush()


def decode(
    frame: bytes, previous: Mapping[int, bytes] | Callable[[int], bytes | None]
) -> DecodedFrame:
    """Return what is in a frame; `previous` gives the text of a sample of the same agent by seq.

    Raises UnknownBase where the frame builds on a text that `previous` does not hold or holds
    differently, Malformed for everything else that is wrong.
    """
    seq, base_seq, checksum = _header(frame)
    dictionary = COMMON
    if base_seq:
        found = previous(base_seq) if callable(previous) else previous.get(base_seq)
        if found is None:
            raise UnknownBase(f"frame {seq}: sample {base_seq} is not held here; send a full frame")
        dictionary = _dictionary(found)
    try:
        text = _inflate(frame[_HEADER.size :], dictionary, seq)
        intact = zlib.crc32(text) == checksum
    except zlib.error as error:
        if base_seq:
            raise UnknownBase(
                f"frame {seq}: does not unpack on sample {base_seq}; send a full frame"
            ) from error
        raise Malformed(f"frame {seq}: not a deflate stream ({error})") from error
    if intact:
        return DecodedFrame(seq, base_seq, text)
    if base_seq:
        raise UnknownBase(f"frame {seq}: sample {base_seq} differs here; send a full frame")
    raise Malformed(f"frame {seq}: its text does not have the checksum {checksum:08x}")


def _header(frame: bytes) -> tuple[int, int, int]:
    """Return seq, base and checksum of a frame whose header makes sense."""
    if not _HEADER.size < len(frame) <= MAX_FRAME:
        raise Malformed(
            f"frame: expected {_HEADER.size + 1} to {MAX_FRAME} bytes, got {len(frame)}"
        )
    version, flags, seq, base_seq, checksum = _HEADER.unpack_from(frame)
    if version != VERSION:
        raise Malformed(f"frame: expected version {VERSION}, got {version}; update the older side")
    if flags not in {0, _HAS_BASE} or bool(flags) != bool(base_seq) or not base_seq < seq:
        raise Malformed(
            f"frame: flags {flags}, seq {seq} and base {base_seq} contradict each other"
        )
    return seq, base_seq, checksum


def _inflate(stream: bytes, dictionary: bytes, seq: int) -> bytes:
    unpacker = zlib.decompressobj(_RAW, zdict=dictionary)
    text = unpacker.decompress(stream, MAX_TEXT + 1)
    if len(text) > MAX_TEXT:
        raise Malformed(f"frame {seq}: unpacks to more than {MAX_TEXT} bytes")
    if not unpacker.eof:
        raise Malformed(f"frame {seq}: its stream ends too early")
    if unpacker.unused_data or unpacker.unconsumed_tail:
        raise Malformed(f"frame {seq}: has {len(unpacker.unused_data)} bytes after its stream")
    return text


def _dictionary(text: bytes) -> bytes:
    """Cut to what deflate can reach; an empty text falls back to what texts have in common."""
    return text[-_WINDOW:] or COMMON
