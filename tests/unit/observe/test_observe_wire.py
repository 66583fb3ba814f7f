"""The frame of a sample: what goes in comes out, and nothing else gets in."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model import errors
from sentienguard.stages.observe import wire

TEXT = b'{"v":1,"seq":2,"metrics":{"system":{"cpu_percent":42.3}}}'
BEFORE = b'{"v":1,"seq":1,"metrics":{"system":{"cpu_percent":41.9}}}'


def frame_of(stream, *, version=1, flags=0, seq=2, base=0, checksum=None, text=b""):
    crc = zlib.crc32(text) if checksum is None else checksum
    return struct.pack(">BBIII", version, flags, seq, base, crc) + stream


def raw(text, dictionary=wire.COMMON):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 8, zdict=dictionary)
    return packer.compress(text) + packer.flush()


@pytest.mark.property
@given(st.binary(max_size=4000), st.integers(1, wire.MAX_SEQ))
def test_a_full_frame_gives_its_text_back(text, seq):
    assert wire.decode(wire.encode(text, seq), {}) == wire.DecodedFrame(seq, 0, text)


@pytest.mark.property
@given(st.binary(max_size=4000), st.binary(max_size=40000), st.integers(2, wire.MAX_SEQ))
def test_a_frame_on_a_base_gives_its_text_back(text, before, seq):
    frame = wire.encode(text, seq, base_seq=seq - 1, base_text=before)
    assert wire.decode(frame, {seq - 1: before}.get) == wire.DecodedFrame(seq, seq - 1, text)


@pytest.mark.property
@given(st.binary(max_size=2000), st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_the_two_typed_errors(frame, before):
    for candidate in (frame, b"\x01\x00" + frame, b"\x01\x01\x00\x00\x00\x09" + frame):
        try:
            wire.decode(candidate, lambda _: before)
        except errors.SentienGuardError as error:
            assert isinstance(error, wire.Malformed | wire.UnknownBase)  # noqa: PT017 - both are right


@pytest.mark.property
@given(st.integers(0, 200), st.integers(0, 255))
def test_a_frame_with_a_changed_byte_is_never_taken_for_another_text(position, byte):
    frame = bytearray(wire.encode(TEXT, 2, base_seq=1, base_text=BEFORE))
    frame[position % len(frame)] = byte
    try:
        decoded = wire.decode(bytes(frame), {1: BEFORE})
    except errors.SentienGuardError:
        return
    assert decoded.text == TEXT


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("nothing", b""),
        ("a header alone", frame_of(b"")),
        ("another version", frame_of(raw(TEXT), version=2, text=TEXT)),
        ("an unknown flag", frame_of(raw(TEXT), flags=2, text=TEXT)),
        ("a flag without base", frame_of(raw(TEXT), flags=1, text=TEXT)),
        ("a base without flag", frame_of(raw(TEXT), base=1, text=TEXT)),
        ("a base that is not earlier", frame_of(raw(TEXT), flags=1, base=2, text=TEXT)),
        ("sequence number 0", frame_of(raw(TEXT), seq=0, text=TEXT)),
        ("bytes after the stream", frame_of(raw(TEXT) + b"x", text=TEXT)),
        ("a stream that ends early", frame_of(raw(TEXT)[:-4], text=TEXT)),
        ("another checksum", frame_of(raw(TEXT), checksum=1)),
        ("no deflate stream", frame_of(b"\xff\xff\xff\xff", text=TEXT)),
        ("a bomb", frame_of(raw(bytes(100 << 20)), text=TEXT)),
        ("a text a byte too long", frame_of(raw(bytes(wire.MAX_TEXT + 1)), text=TEXT)),
        ("a huge frame", frame_of(bytes(wire.MAX_FRAME))),
    ],
)
def test_a_malformed_frame_is_refused(name, frame):
    with pytest.raises(wire.Malformed):
        wire.decode(frame, {1: BEFORE})


def test_a_bomb_is_stopped_at_the_limit_and_not_for_another_reason():
    with pytest.raises(wire.Malformed, match="unpacks to more"):
        wire.decode(frame_of(raw(bytes(wire.MAX_TEXT + 1)), text=TEXT), {})


def test_the_longest_text_passes():
    text = bytes(wire.MAX_TEXT)
    assert wire.decode(wire.encode(text, 1), {}).text == text


@pytest.mark.parametrize(
    ("name", "held"),
    [("nothing", {}), ("another text", {1: b"x" * 60}), ("an empty text", {1: b""})],
)
def test_a_base_that_the_centre_does_not_hold_asks_for_a_full_frame(name, held):
    frame = wire.encode(TEXT, 2, base_seq=1, base_text=BEFORE)
    with pytest.raises(wire.UnknownBase):
        wire.decode(frame, held)


def test_a_base_that_differs_in_one_digit_is_found_out_by_the_checksum():
    frame = wire.encode(TEXT, 2, base_seq=1, base_text=BEFORE)
    with pytest.raises(wire.UnknownBase, match="differs"):
        wire.decode(frame, {1: BEFORE.replace(b'"v":1', b'"v":9')})


@pytest.mark.parametrize(("seq", "base"), [(0, 0), (1, 1), (1, 2), (wire.MAX_SEQ + 1, 0), (5, -1)])
def test_numbers_that_do_not_fit_a_frame_are_refused(seq, base):
    with pytest.raises(wire.Malformed):
        wire.encode(TEXT, seq, base_seq=base, base_text=BEFORE)


def test_a_small_change_costs_a_small_frame():
    assert len(wire.encode(TEXT, 2, base_seq=1, base_text=BEFORE)) < 14 + 20
