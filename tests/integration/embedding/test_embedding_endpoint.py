"""The hosted model over HTTP, against a server that speaks the protocol, and misbehaves."""

import contextlib
import http.server
import json
import threading
import time

import pytest

from sentienguard.adapters.embedding_endpoint.client import LONGEST_ANSWER, Address, Endpoint
from sentienguard.controlplane.meanings import Meanings
from sentienguard.model.decision import Route
from sentienguard.ports import embedder, secrets
from sentienguard.stages.decide import matching, meaning
from sentienguard.stages.decide.decide import decide
from sentienguard.stages.decide.retrieval import fitted
from sentienguard.stages.decide.settings import DecideSettings
from tests.support import decide_cases as cases
from tests.support import match_library as library
from tests.support import outbound_ways

pytestmark = pytest.mark.integration
DIMENSIONS = 3072
[CALIBRATED] = [name for name in fitted.TABLES if name]


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
            payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(payload)

    def log_message(self, *_):
        pass


def asking(address, key=None):
    return Endpoint(address, outbound_ways.to(address.url, longest_answer=LONGEST_ANSWER), key)


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
    address = Address(url, "text-embedding-3-large", DIMENSIONS, limit_s=60)
    made = asking(address, outbound_ways.key("sk-made-up"))
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


def test_who_answers_too_late_is_away(server):
    server.behave = lambda _: (200, None)
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    late = asking(Address(url, "m", 8, limit_s=0.3))
    with contextlib.closing(late), pytest.raises(embedder.EmbedderAway, match=r"more than 0\.3 s"):
        late.embed(["disk full"])


def test_nobody_there_is_away_too(server, endpoint):
    away = asking(Address("http://127.0.0.1:1/v1", "m", 8, limit_s=0.5))
    with pytest.raises(embedder.EmbedderAway):
        away.embed(["disk"])
    away.close()


def test_without_its_key_the_embedder_is_away(server):
    def fetch():
        raise secrets.SecretsAway("vault:sg#embedding: the store answered 503")

    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with pytest.raises(embedder.EmbedderAway, match="vault:sg#embedding"):
        asking(Address(url, "m", 8), fetch).embed(["disk full"])
    assert not server.seen


@pytest.mark.parametrize("name", ["text-embedding-3-large", CALIBRATED])
def test_a_hosted_model_runs_nothing_unattended_until_it_has_a_calibration_of_its_own(
    server, tmp_path, monkeypatch, name
):
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with contextlib.closing(asking(Address(url, name, 256, limit_s=60))) as hosted:
        library.calibrate(monkeypatch, "", CALIBRATED)
        found = decided(hosted, tmp_path)
        [cap] = [one for one in found.candidates[0].items if one.name == matching.AUTONOMY_CAP]
        assert f"no calibration for {hosted.model}" in cap.because
        assert found.confidence.value <= 0.89
        assert found.route <= Route.ASK
        library.calibrate(monkeypatch, "", hosted.model)
        assert decided(hosted, tmp_path).confidence.value >= 0.90


def decided(hosted, place):
    """Decide about a metric that no author declared, by vectors that came over the wire."""
    meanings = Meanings(hosted, place)
    plain = matching.Library(cases.LIBRARY.playbooks)
    equipped = matching.Library(plain.playbooks, meanings.library(plain.documents))
    known = cases.evidence("app.connection_pool.utilization", tags={"service": "postgresql"})
    vector = meanings.question(meaning.spoken(known))
    return decide(
        known, equipped, lambda _: cases.TRUSTED, cases.CLEAR, DecideSettings(), vector=vector
    )
