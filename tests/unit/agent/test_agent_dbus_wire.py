"""Messages of D-Bus: vectors that another program wrote, and bytes that nobody did."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.agent.collectors.systemd import units, wire

HELLO = wire.Method(
    "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello"
)


def message(signature, body, order="<", **more):
    fields = ((8, "g", signature), (1, "o", more.get("path", "/a")), (3, "s", "Member"))
    listed = b""
    for code, kind, text in fields:
        listed += bytes(-len(listed) % 8) + bytes((code, 1)) + kind.encode() + b"\0"
        size = struct.pack("B" if kind == "g" else order + "I", len(text))
        listed += size + text.encode() + b"\0"
    mark = b"l" if order == "<" else b"B"
    head = mark + bytes((4, 0, 1)) + struct.pack(order + "III", len(body), 9, len(listed))
    return head + listed + bytes(-len(head + listed) % 8) + body


def values(signature, body, order="<"):
    whole = message(signature, body, order)
    found, size = wire.read(whole)
    assert size == len(whole)
    return found.values()


def test_hello_is_written_as_the_specification_has_it():
    assert wire.call(1, HELLO) == bytes.fromhex(
        "6c01000100000000010000006e000000"
        "01016f00150000002f6f72672f667265656465736b746f702f44427573000000"
        "06017300140000006f72672e667265656465736b746f702e4442757300000000"
        "02017300140000006f72672e667265656465736b746f702e4442757300000000"
        "030173000500000048656c6c6f000000"
    )


def test_a_call_is_read_as_it_was_written():
    written = wire.call(7, HELLO, ["text", ["one", "two"], []])
    found, size = wire.read(written)
    assert size == len(written)
    assert (found.kind, found.serial, found.path) == (1, 7, "/org/freedesktop/DBus")
    assert found.values() == ("text", ["one", "two"], [])


@pytest.mark.parametrize(
    ("signature", "body", "expected"),
    [
        ("y", b"\x05", (5,)),
        ("b", b"\1\0\0\0", (True,)),
        ("n", b"\xff\xff", (-1,)),
        ("x", struct.pack("<q", -2), (-2,)),
        ("d", struct.pack("<d", 1.5), (1.5,)),
        ("as", b"\0\0\0\0", ([],)),
        ("a(yy)", struct.pack("<II", 10, 0) + b"\1\2" + bytes(6) + b"\3\4", ([(1, 2), (3, 4)],)),
        ("v", b"\1u\0\0" + struct.pack("<I", 9), (9,)),
        (
            "a{sv}",
            struct.pack("<III", 12, 0, 1) + b"k\0" + b"\1y\0\7" + bytes(1),
            None,
        ),
    ],
)  # fmt: skip
def test_values_of_each_type(signature, body, expected):
    if expected is None:
        with pytest.raises(wire.Malformed):
            values(signature, body)
        return
    assert values(signature, body) == expected


def test_both_byte_orders_are_read():
    assert values("us", struct.pack(">II", 5, 2) + b"hi\0", ">") == (5, "hi")


@pytest.mark.parametrize(
    ("signature", "body"),
    [
        ("s", b""),
        ("s", struct.pack("<I", 99) + b"short\0"),
        ("s", struct.pack("<I", 2) + b"\xff\xfe\0"),
        ("as", struct.pack("<I", 0xFFFFFFF0)),
        ("as", struct.pack("<II", 5, 9) + b"abcdefghi\0"),
        ("v", b"\0\0"),
        ("v", b"\2uu\0" + bytes(8)),
        ("a", b""),
        ("()", b""),
        ("(s", b""),
        ("z", b""),
        ("a" * 200 + "y", bytes(900)),
        ("v", b"\1v\0" * 60),
    ],
)
def test_what_is_no_value_is_refused_and_nothing_else_happens(signature, body):
    with pytest.raises(wire.Malformed):
        values(signature, body)


def test_a_message_beyond_the_bound_is_refused_before_it_has_come():
    head = b"l\4\0\1" + struct.pack("<III", wire.MOST_BYTES, 1, 8)
    with pytest.raises(wire.Malformed, match="at most"):
        wire.read(head)


@pytest.mark.parametrize("cut", range(100))
def test_a_part_of_a_message_is_none_yet(cut):
    whole = wire.call(1, HELLO)
    assert wire.read(whole[:cut]) is None


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_malformed(data):
    for start in (b"", b"l\4\0\1", b"B\2\0\1"):
        try:
            found = wire.read(start + data)
            if found:
                found[0].values()
        except wire.Malformed:
            pass


@given(st.text("ybnqiuxtdhsogva(){}", max_size=12), st.binary(max_size=64))
def test_random_signatures_raise_nothing_but_malformed(signature, body):
    with contextlib.suppress(wire.Malformed):
        values(signature, body)


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/org/freedesktop/systemd1/unit/nginx_2eservice", "nginx.service"),
        ("/org/freedesktop/systemd1/unit/home_2dme_2emount", "home-me.mount"),
        ("/org/freedesktop/systemd1/unit/_ff_c3_28", "\ufffd\ufffd("),
        ("", ""),
        ("/x/_zz", "_zz"),
    ],
)
def test_the_unit_of_an_object(path, unit):
    assert units.unit_of(path) == unit


def test_more_changes_than_a_sample_holds_are_counted():
    changes = units.Changes()
    for number in range(units.MOST_LINES + 50):
        changes.add(f"unit-{number}.service failed", "error")
    news = changes.read()
    assert (len(news.lines), news.skipped_lines) == (units.MOST_LINES, 50)
    changes.add("late.service failed", "error")
    changes.commit()
    assert [line.text for line in changes.read().lines] == [b"late.service failed"]
