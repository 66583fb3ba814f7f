"""One turn over HTTP, in both protocols, against a server that speaks them and has bad days."""

import json
import socket
import threading
import time

import pytest

from sentienguard.adapters.adviser_endpoint.endpoint import LONGEST_ANSWER, Address, Endpoint
from sentienguard.ports import adviser, secrets
from tests.servers import language_model as model
from tests.support import outbound_ways

pytestmark = pytest.mark.integration
PROTOCOLS = [
    (protocol, streams)
    for protocol in ("openai", "compatible", "anthropic")
    for streams in (False, True)
]
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["choice"],
    "properties": {"choice": {"type": "string"}},
}
TOOL = adviser.Tool("query_metrics", "Readings.", SCHEMA)


def question(**more):
    given = {
        "instructions": "Advise.",
        "prompt": "What is it?",
        "rounds": (),
        "tools": (TOOL,),
        "may_ask": True,
        "answer": SCHEMA,
        "most_tokens": 700,
    }
    return adviser.Question(**(given | more))


@pytest.fixture
def server():
    with model.running() as made:
        yield made


def endpoint(server, protocol="openai", *, streams=False, key=model.KEY):
    return asking(server.url, protocol, streams=streams, key=outbound_ways.key(key))


def asking(url, protocol, *, streams=False, key=None):
    way = outbound_ways.to(url, longest_answer=LONGEST_ANSWER)
    return Endpoint(Address(protocol, url, "test", streams=streams), way, key)


@pytest.mark.parametrize(("protocol", "streams"), PROTOCOLS)
def test_an_answer_comes_with_its_tokens_and_the_exact_bodies(server, protocol, streams):
    server.plan = [model.opinion("disk_cleanup")]
    reply = endpoint(server, protocol, streams=streams).turn(question(), limit_s=5)
    assert json.loads(reply.text) == {**model.WHY, "choice": "disk_cleanup"}
    assert (reply.calls, reply.refusal, reply.is_whole) == ((), "", True)
    assert (reply.tokens_in, reply.tokens_out) == (900, 80)
    [(_, _, body)] = server.seen
    assert reply.sent == body
    assert b"disk_cleanup" in reply.heard or streams
    limit = {"openai": "max_completion_tokens"}.get(protocol, "max_tokens")
    assert json.loads(body)[limit] == 700
    assert model.KEY.encode() not in reply.sent


@pytest.mark.parametrize(("protocol", "streams"), PROTOCOLS)
def test_a_conversation_with_tools_is_told_as_the_protocol_wants_it(server, protocol, streams):
    asked = (("query_metrics", '{"promql": "up"}'), ("query_metrics", '{"promql": "down"}'))
    server.plan = [model.Say(calls=asked), model.opinion("x")]
    made = endpoint(server, protocol, streams=streams)
    first = made.turn(question(), limit_s=5)
    assert [(one.name, json.loads(one.arguments)) for one in first.calls] == [
        ("query_metrics", {"promql": "up"}),
        ("query_metrics", {"promql": "down"}),
    ]
    assert len({one.id for one in first.calls}) == 2
    told = adviser.Round(first.text, first.calls, ("rows", "none"))
    last = made.turn(question(rounds=(told,), may_ask=False), limit_s=5)
    assert json.loads(last.text)["choice"] == "x"
    assert not last.calls
    choice = server.bodies()[-1]["tool_choice"]
    assert choice in ("none", {"type": "tool", "name": "give_opinion"})


@pytest.mark.parametrize(("protocol", "streams"), PROTOCOLS)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (model.Say(refuses=True), lambda one: one.refusal),
        (model.Say('{"half', cut_off=True), lambda one: not one.is_whole),
        (model.Say("{}", counts=False), lambda one: one.tokens_in is one.tokens_out is None),
    ],
    ids=["refuses", "is cut off", "does not count"],
)
def test_what_is_no_plain_answer_is_told_apart(server, protocol, streams, said, expected):
    server.plan = [said]
    assert expected(endpoint(server, protocol, streams=streams).turn(question(), limit_s=5))


def half(handler, wanted):
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "900")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"mess')
    handler.close_connection = True


def half_a_stream(handler, wanted):
    chat = handler.path.endswith("completions")
    said = model.opinion("x")
    events = model.chat_events(said) if chat else model.messages_events(said, wanted)
    handler.send_stream([*events[:3], events[3][:20]])


def a_stream_that_fails(handler, wanted):
    error = {"type": "error", "error": {"type": "overloaded_error"}}
    handler.send_stream([f"event: error\ndata: {json.dumps(error)}\n\n".encode()])


def nothing_at_all(handler, wanted):
    handler.close_connection = True


def huge(handler, wanted):
    handler.send(200, b'{"choices": "' + b"x" * 3_000_000 + b'"}')


def endless(handler, wanted):
    handler.send_stream([b"data: {}\n\n" * 4000] * 1000)


def body(text):
    return lambda handler, wanted: handler.send(200, text)


def status(code, **headers):
    said = f'{{"error": {{"message": "no, {model.KEY}"}}}}'.encode()
    return lambda handler, wanted: handler.send(code, said, **headers)


Away, Busy, Declined, Garbled = (
    adviser.AdviserAway,
    adviser.AdviserBusy,
    adviser.AdviserDeclined,
    adviser.AdviserGarbled,
)


@pytest.mark.parametrize("protocol", ["compatible", "anthropic"])
@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (half, Away),
        (nothing_at_all, Away),
        (half_a_stream, Garbled),
        (a_stream_that_fails, Garbled),
        (huge, Garbled),
        (endless, Garbled),
        (body(b""), Garbled),
        (body(b"<html>Bad gateway</html>"), Garbled),
        (body(b"\xff\xfe\x00garbage"), Garbled),
        (body(b"[]"), Garbled),
        (body(b'{"choices": [], "type": "message", "content": 7}'), Garbled),
        (body(b'{"choices": [7], "type": "error"}'), Garbled),
        (body(b'{"choices": [{"message": {"content": 7}}], "type": 8}'), Garbled),
        (body(b"[" * 100_000), Garbled),
        (status(401), Declined),
        (status(404), Declined),
        (status(302, Location="http://127.0.0.1:1/"), Declined),
        (status(408), Away),
        (status(500), Away),
        (status(503), Busy),
        (status(529), Busy),
        (status(429, Retry_After="3"), Busy),
    ],
)
def test_whatever_else_comes_is_one_of_the_errors(server, protocol, act, expected):
    server.plan = [act]
    with pytest.raises(expected) as caught:
        endpoint(server, protocol).turn(question(), limit_s=5)
    assert type(caught.value) is expected
    assert json.loads(caught.value.sent)["model"] == "test"
    assert model.KEY.encode() not in caught.value.heard
    assert model.KEY not in str(caught.value)


def escaped(text):
    return "".join(f"\\u{ord(one):04x}" for one in text)


@pytest.mark.parametrize(("protocol", "streams"), PROTOCOLS)
@pytest.mark.parametrize("written", [str, escaped], ids=["plainly", "as escapes of its own"])
def test_a_model_that_repeats_the_key_leaves_it_nowhere(server, protocol, streams, written):
    server.plan = [model.Say(json.dumps({"choice": "x"}) + written(model.KEY))]
    try:
        reply = endpoint(server, protocol, streams=streams).turn(question(), limit_s=5)
        told = [reply.text, reply.heard.decode()]
    except Garbled as problem:
        told = [str(problem), problem.heard.decode()]
    for one in told:
        assert model.KEY not in one
        assert model.KEY not in one.encode().decode("unicode_escape")


@pytest.mark.parametrize("protocol", ["compatible", "anthropic"])
@pytest.mark.parametrize("code", [200, 401, 503])
def test_a_key_that_is_written_as_escapes_is_kept_nowhere(server, protocol, code):
    said = f'{{"error": {{"message": "no, {escaped(model.KEY)}"}}}}'.encode()
    server.plan = [lambda handler, wanted: handler.send(code, said)]
    with pytest.raises(adviser.NoReply) as caught:
        endpoint(server, protocol).turn(question(), limit_s=5)
    for one in (str(caught.value), caught.value.heard.decode()):
        assert model.KEY not in one.encode().decode("unicode_escape")


def test_how_long_it_wants_to_be_left_alone_is_heard(server):
    made = endpoint(server)
    for said, expected in (("3", 3.0), ("0.5", 0.5), ("soon", 1.0), ("-4", 0.0), ("", 1.0)):
        server.plan = [status(429, Retry_After=said)]
        with pytest.raises(Busy) as caught:
            made.turn(question(), limit_s=5)
        assert caught.value.retry_after_s == expected


def drip_head(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    yield b"a"


def drip_body(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    yield b" "


def drip_nothing(connection):
    yield b""


@pytest.mark.parametrize("drips", [drip_head, drip_body, drip_nothing])
def test_what_drips_is_cut_off_at_the_limit(drips):
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve():
            connection, _ = door.accept()
            with connection:
                connection.recv(65_536)
                [piece] = drips(connection)
                while not over.wait(0.05):
                    try:
                        connection.sendall(piece)
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{door.getsockname()[1]}/v1"
        began = time.monotonic()
        with pytest.raises(Away, match=r"no answer within 0.4 s"):
            asking(url, "compatible").turn(question(), limit_s=0.4)
        took = time.monotonic() - began
        over.set()
        thread.join()
    assert took < 1.5


def test_nobody_there_is_an_error_at_once(server):
    with socket.create_server(("127.0.0.1", 0)) as door:
        gone = door.getsockname()[1]
    for url in (f"http://127.0.0.1:{gone}/v1", "http://[", "ftp://127.0.0.1/v1", ""):
        with pytest.raises(Away):
            asking(url, "openai").turn(question(), limit_s=2)


def test_the_key_is_fetched_for_each_turn(server):
    keys = iter(["sk-first", "sk-second"])
    made = asking(server.url, "openai", key=lambda: secrets.Secret(next(keys)))
    server.plan = [model.opinion("x"), model.opinion("x")]
    for _ in range(2):
        with pytest.raises(Declined):  # the server takes neither
            made.turn(question(), limit_s=5)
    given = [headers["Authorization"] for _, headers, _ in server.seen]
    assert given == ["Bearer sk-first", "Bearer sk-second"]


@pytest.mark.parametrize("kind", [secrets.SecretMissing, secrets.SecretsAway])
def test_without_its_key_nobody_is_asked(server, kind):
    def fetch():
        raise kind("vault:sg#adviser: the store answered 503")

    with pytest.raises(Away, match="no key: vault:sg#adviser"):
        asking(server.url, "openai", key=fetch).turn(question(), limit_s=5)
    assert not server.seen
