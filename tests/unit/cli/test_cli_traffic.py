"""Captures made here byte by byte: formats, connections, what TLS shows, and the verdicts."""

import socket
import ssl
import struct

import hypothesis
import hypothesis.strategies as st
import pytest

from sentienguard.cli.traffic import capture, connections, tls, verdict

AGENT, CENTRE, OTHER = ("10.0.0.5", 40_000), ("10.0.0.9", 7444), ("203.0.113.7", 443)
SYN, ACK, BOTH = capture.SYN, capture.ACK, capture.SYN | capture.ACK


def ip(source, target, flags, sequence, payload=b"", *, protocol=6):
    """Return an IPv4 packet."""
    ports = struct.pack("!HH", source[1], target[1])
    if protocol == 6:
        inner = ports + struct.pack("!IIBBHHH", sequence, 0, 5 << 4, flags, 1000, 0, 0) + payload
    else:
        inner = ports + struct.pack("!HH", 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(inner), 0, 0, 64, protocol, 0)
    return head + socket.inet_aton(source[0]) + socket.inet_aton(target[0]) + inner


def pcap(*packets, link=101, order="<", magic=0xA1B2C3D4):
    """Write a capture of (seconds, bytes)."""
    scale = 1e9 if magic == 0xA1B23C4D else 1e6
    parts = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65_535, link)]
    for at, packet in packets:
        whole, part = int(at), round((at - int(at)) * scale)
        parts += [struct.pack(f"{order}IIII", whole, part, len(packet), len(packet)), packet]
    return b"".join(parts)


def pcapng(*packets, link=101, order="<", resolution=None):
    def block(kind, body):
        body += bytes(-len(body) % 4)
        size = struct.pack(f"{order}I", 12 + len(body))
        return struct.pack(f"{order}I", kind) + size + body + size

    options = b""
    if resolution is not None:
        options = struct.pack(f"{order}HHB3x", 9, 1, resolution) + bytes(4)
    parts = [
        block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack(f"{order}HHI", link, 0, 65_535) + options),
    ]
    for at, packet in packets:
        ticks = round(at * 10 ** (6 if resolution is None else resolution))
        head = struct.pack(
            f"{order}IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet)
        )
        parts.append(block(6, head + packet))
    return b"".join(parts)


def handshake(version):
    """Return what both sides of a real handshake send first, made by the ssl module."""
    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    client = context.wrap_bio(incoming, outgoing, server_hostname="ops.example.org")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    said = outgoing.read()
    extension = struct.pack("!HHH", 43, 2, 0x0304) if version == ssl.TLSVersion.TLSv1_3 else b""
    body = b"\x03\x03" + bytes(32) + b"\x00\x13\x01\x00" + struct.pack("!H", len(extension))
    body += extension
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    return said, b"\x16\x03\x03" + struct.pack("!H", len(message)) + message


UP, DOWN = handshake(ssl.TLSVersion.TLSv1_3)
OLD_UP, OLD_DOWN = handshake(ssl.TLSVersion.TLSv1_2)
RECORD = b"\x17\x03\x03\x00\x10" + bytes(16)


def talk(client=AGENT, server=CENTRE, *, at=0.0, up=UP, down=DOWN, opening=True, times=(1.0,)):
    """Return the packets of one connection that sends a record at each of `times`."""
    packets = []
    if opening:
        packets += [(at, ip(client, server, SYN, 99)), (at, ip(server, client, BOTH, 499))]
    packets += [
        (at + 0.01, ip(client, server, ACK, 100, up)),
        (at + 0.02, ip(server, client, ACK, 500, down)),
    ]
    sequence = 100 + len(up)
    for later in times:
        packets.append((at + later, ip(client, server, ACK, sequence, RECORD)))
        sequence += len(RECORD)
    return packets


def judged(*packets, servers=(CENTRE,), agent=AGENT[0]):
    traffic = connections.gather(capture.packets(pcap(*packets)))
    return {one.name: one.outcome.value for one in verdict.checks(traffic, servers, agent)}


GOOD = {"direction": "PASS", "encryption": "PASS", "destinations": "PASS", "pattern": "PASS"}


def test_an_agent_that_does_what_it_should_passes():
    assert judged(*talk(times=(30, 60, 90))) == GOOD


def test_its_pattern_is_measured():
    times = [30 * n for n in range(1, 6)]
    traffic = connections.gather(capture.packets(pcap(*talk(times=times))))
    found = verdict.pattern(traffic.connections)
    assert (found.bursts, found.interval_s, found.median_bytes) == (6, 30.0, len(RECORD))
    assert found.most_bytes == len(UP)
    assert found.up_bytes == len(UP) + 5 * len(RECORD)
    assert found.down_bytes == len(DOWN)


@pytest.mark.parametrize(
    ("packets", "differs"),
    [
        ([*talk(), *talk(OTHER, (AGENT[0], 22))], {"direction": "FAIL", "destinations": "FAIL"}),
        ([*talk(), *talk(AGENT, OTHER)], {"destinations": "FAIL"}),
        ([*talk(), (2.0, ip(AGENT, OTHER, 0, 0, b"x", protocol=17))], {"destinations": "FAIL"}),
        ([*talk(), (2.0, ip(AGENT, ("8.8.8.8", 53), 0, 0, b"x", protocol=17))], {}),
        (talk(up=b"GET / HTTP/1.1\r\n\r\n", down=b"HTTP/1.1 200\r\n\r\n"), {"encryption": "FAIL"}),
        (talk(up=OLD_UP, down=OLD_DOWN), {"encryption": "FAIL"}),
        (talk(up=UP + b"not a record, but in the clear"), {"encryption": "FAIL"}),
        (talk(opening=False), {"direction": "UNKNOWN"}),
        (
            [(0.0, ip(AGENT, CENTRE, ACK, 7, RECORD)), (0.1, ip(CENTRE, AGENT, ACK, 9, RECORD))],
            {"direction": "UNKNOWN", "encryption": "UNKNOWN"},
        ),
        ([(0.0, ip(AGENT, CENTRE, SYN, 7))], {"encryption": "UNKNOWN", "pattern": "UNKNOWN"}),
        ([], dict.fromkeys(GOOD, "UNKNOWN")),
    ],
)  # fmt: skip
def test_each_departure_is_found_by_its_check(packets, differs):
    assert judged(*packets) == GOOD | differs


def test_a_flood_of_data_upwards_is_found():
    big = bytes(60_000)
    sequence, packets = 100 + len(UP), talk(times=())
    for number in range(80):
        packets.append((1 + number / 100, ip(AGENT, CENTRE, ACK, sequence, big)))
        sequence += len(big)
    assert judged(*packets)["pattern"] == "FAIL"


def test_nothing_is_known_of_the_ends_and_all_lead_to_one_place():
    assert judged(*talk(), servers=(), agent=None) == GOOD
    two = judged(*talk(), *talk(OTHER, (AGENT[0], 22)), servers=(), agent=None)
    assert two["direction"] == two["destinations"] == "FAIL"


def test_what_is_sent_again_or_out_of_order_is_counted_once():
    first, second = UP[:100], UP[100:]
    packets = [
        (0.0, ip(AGENT, CENTRE, SYN, 0xFFFFFFF0)),
        (0.0, ip(CENTRE, AGENT, BOTH, 5)),
        (0.1, ip(AGENT, CENTRE, ACK, (0xFFFFFFF1 + 100) % (1 << 32), second)),
        (0.2, ip(AGENT, CENTRE, ACK, 0xFFFFFFF1, first)),
        (0.3, ip(AGENT, CENTRE, ACK, 0xFFFFFFF1, first)),
        (0.4, ip(AGENT, CENTRE, ACK, 0xFFFFFFF0, b"x")),
        (0.5, ip(CENTRE, AGENT, ACK, 6, DOWN)),
    ]
    [one] = connections.gather(capture.packets(pcap(*packets))).connections
    assert one.up.start == UP
    assert judged(*packets)["encryption"] == "PASS"


@pytest.mark.parametrize(
    "make",
    [
        lambda *packets: pcap(*packets, order=">"),
        lambda *packets: pcap(*packets, magic=0xA1B23C4D),
        lambda *packets: pcap(
            *((at, bytes(12) + b"\x08\x00" + one) for at, one in packets), link=1
        ),
        lambda *packets: pcap(
            *((at, bytes(12) + b"\x81\x00\x00\x07\x08\x00" + one) for at, one in packets), link=1
        ),
        lambda *packets: pcap(
            *((at, bytes(14) + b"\x08\x00" + one) for at, one in packets), link=113
        ),
        lambda *packets: pcap(
            *((at, b"\x08\x00" + bytes(18) + one) for at, one in packets), link=276
        ),
        lambda *packets: pcap(*((at, b"\x02\0\0\0" + one) for at, one in packets), link=0),
        pcapng,
        lambda *packets: pcapng(*packets, order=">"),
        lambda *packets: pcapng(*packets, resolution=9),
        lambda *packets: pcap(*packets) + b"\x01\x02",
    ],
)  # fmt: skip
def test_every_format_says_the_same(make):
    found = connections.gather(capture.packets(make(*talk(at=1_700_000_000.25, times=(30, 60)))))
    usual = connections.gather(capture.packets(pcap(*talk(at=1_700_000_000.25, times=(30, 60)))))
    assert found.connections[0].up.sent == [
        (pytest.approx(at, abs=1e-4), count) for at, count in usual.connections[0].up.sent
    ]
    assert found.connections[0].client == AGENT


def test_ipv6_is_read():
    inner = struct.pack("!HHIIBBHHH", 5, 7444, 1, 0, 5 << 4, SYN, 0, 0, 0)
    head = (
        struct.pack("!IHBB", 6 << 28, len(inner), 6, 64) + bytes(15) + b"\x01" + bytes(15) + b"\x02"
    )
    [packet] = capture.packets(pcap((1.0, head + inner)))
    assert packet.source == ("::1", 5)
    assert packet.target == ("::2", 7444)


def test_the_hello_of_a_client_names_the_server_it_wants():
    assert tls.client_hello(UP) == tls.Hello(0x0304, "ops.example.org")
    assert tls.client_hello(OLD_UP).version == 0x0303
    assert tls.server_hello(DOWN).version == 0x0304


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04" + bytes(60), b"\x7fELF" + bytes(60)])
def test_what_is_no_capture_is_refused(data):
    with pytest.raises(capture.NotACapture, match="capture"):
        list(capture.packets(data))


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=300)
def test_a_damaged_capture_is_read_or_refused_and_never_worse(data):
    make = data.draw(st.sampled_from([pcap, pcapng]))
    whole = bytearray(make(*talk()))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        traffic = connections.gather(capture.packets(bytes(whole[:cut])))
    except capture.NotACapture:
        return
    verdict.checks(traffic, [CENTRE], AGENT[0])
    verdict.pattern(traffic.connections)
