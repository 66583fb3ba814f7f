"""The hosted model over HTTP, against a server that speaks the protocol, and misbehaves."""

import contextlib
import http.server
import json
import threading
import time

import pytest

from sentienguard.adapters.embedding_endpoint.client import Address, Endpoint
from sentienguard.ports import embedder
from tests.support import match_library as library

pytestmark = pytest.mark.integration
DIMENSIONS = 3072


class Model(http.server.BaseHTTPRequestHandler):
    """POST /v1/embeddings as OpenAI documents it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers.get("Authorization"), body))
        words = library.HashedWords(body["dimensions"])
        rows = [
            {"object": "embedding", "index": at, "embedding": [3 * one for one in vector]}
            for at, vector in enumerate(words.embed(body["input"]))
        ]
        answer = {"object": "list", "data": rows[::-1], "model": body["model"],
                  "usage": {"prompt_tokens": 5, "total_tokens": 5}}  # fmt: skip
        status, payload = self.server.behave(answer)
        if payload is None:
            time.sleep(1.5)
            payload = b"{}"
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(payload)

    def log_message(self, *_):
        pass


def well(answer):
    return 200, json.dumps(answer).encode()


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    made.seen, made.behave = [], well
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def endpoint(server):
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    address = Address(url, "text-embedding-3-large", DIMENSIONS, key="sk-made-up", limit_s=0.5)
    made = Endpoint(address)
    yield made
    made.close()


def test_texts_become_vectors_of_length_one_in_their_order(server, endpoint):
    texts = ["disk full", "redis down", "certificate expires"]
    found = endpoint.embed(texts)
    assert found == [pytest.approx(one) for one in library.HashedWords(DIMENSIONS).embed(texts)]
    [(path, authorization, body)] = server.seen
    assert (path, authorization) == ("/v1/embeddings", "Bearer sk-made-up")
    assert body == {"model": "text-embedding-3-large", "input": texts, "encoding_format": "float",
                    "dimensions": DIMENSIONS}  # fmt: skip
    assert endpoint.model.startswith("text-embedding-3-large/3072@http://127.0.0.1:")


def test_a_library_is_sent_in_several_requests(server, endpoint):
    assert len(endpoint.embed(["disk"] * 130)) == 130
    assert [len(body["input"]) for _, _, body in server.seen] == [64, 64, 2]


def changed(change):
    def behave(answer):
        change(answer)
        return well(answer)

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        lambda _: (401, b'{"error": {"message": "bad key"}}'),
        lambda _: (429, b'{"error": {"message": "slow down"}}'),
        lambda _: (500, b"oh no"),
        lambda _: (302, b""),
        lambda _: (200, b"<html>"),
        lambda _: (200, b"[]"),
        lambda _: (200, b'{"data": 7}'),
        lambda _: (200, None),  # too late
        changed(lambda answer: answer["data"].pop()),
        changed(lambda answer: answer["data"][0].pop("embedding")),
        changed(lambda answer: answer["data"][0].update(index=9)),
        changed(lambda answer: answer["data"][0]["embedding"].pop()),
        changed(lambda answer: answer["data"][0].update(embedding=[0.0] * DIMENSIONS)),
        changed(lambda answer: answer["data"][0].update(embedding=["x"] * DIMENSIONS)),
        changed(lambda answer: answer["data"][0].update(embedding=[float("nan")] * DIMENSIONS)),
    ],
)
def test_whatever_else_comes_back_the_embedder_is_away(server, endpoint, behave):
    server.behave = behave
    with pytest.raises(embedder.EmbedderAway, match="/v1/embeddings"):
        endpoint.embed(["disk full", "redis down"])


def test_nobody_there_is_away_too(server, endpoint):
    away = Endpoint(Address("http://127.0.0.1:1/v1", "m", 8, limit_s=0.5))
    with pytest.raises(embedder.EmbedderAway):
        away.embed(["disk"])
    away.close()
