"""Where the adviser, embeddings and Loki of the settings may be: what a name leads to is judged."""

import socket

import pytest

from sentienguard.controlplane import app_adviser, app_context, app_meanings
from sentienguard.controlplane.settings import Settings
from sentienguard.ports import adviser, embedder, log_search
from tests.servers import echoing
from tests.support import named_secrets

pytestmark = pytest.mark.integration
NEVER = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254", "::"]
QUESTION = adviser.Question(
    instructions="Advise.", prompt="?", rounds=(), tools=(), may_ask=False,
    answer={"type": "object"}, most_tokens=10,
)  # fmt: skip


def ask_adviser(url, **more):
    given = Settings(adviser="compatible", adviser_model="m", adviser_url=url, **more)
    app_adviser.adviser(given, named_secrets.Stores()).turn(QUESTION, limit_s=5)


def ask_embeddings(url, **more):
    given = Settings(embeddings="hosted", embedding_url=url, embedding_limit_s=5, **more)
    app_meanings.hosted(given, named_secrets.Stores()).embed(["disk"])


def ask_loki(url, **more):
    given = Settings(loki_url=url, loki_limit_s=5, **more)
    at = named_secrets.AT
    app_context.loki_of(given, named_secrets.Stores()).lines("prod", "orders", at, at, limit=1)


AWAY = (adviser.AdviserAway, embedder.EmbedderAway, log_search.LogSearchAway)
REFUSED = (adviser.AdviserDeclined, embedder.EmbedderAway, log_search.LogSearchAway)
ASKS = pytest.mark.parametrize("ask", [ask_adviser, ask_embeddings, ask_loki])


@pytest.fixture
def service():
    with echoing.running() as made:
        yield made


def leads_to(monkeypatch, *addresses):
    """Answer every question of names with these, and note the questions."""
    asked = []

    def answer(host, port, *_more, **_named):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


@ASKS
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "192.168.1.1", "::1", "fd00::1"])
def test_a_public_name_that_leads_inside_is_not_asked(monkeypatch, service, ask, address):
    leads_to(monkeypatch, address)
    port = service.url.rpartition(":")[2]
    with pytest.raises(AWAY, match="public address"):
        ask(f"http://service.example.com:{port}")
    assert not service.heard


@ASKS
@pytest.mark.parametrize("address", NEVER)
def test_no_name_and_no_word_of_the_owner_leads_to_metadata(monkeypatch, ask, address):
    leads_to(monkeypatch, address)
    for url in ("http://service.example.com", "http://loki"):
        with pytest.raises(AWAY, match="never asked"):
            ask(url, private_hosts="service.example.com")


@ASKS
def test_one_address_of_several_that_may_not_be_is_enough(monkeypatch, service, ask):
    leads_to(monkeypatch, "127.0.0.1", "169.254.169.254")
    port = service.url.rpartition(":")[2]
    with pytest.raises(AWAY, match="never asked"):
        ask(f"http://ollama:{port}")
    assert not service.heard


@ASKS
def test_what_the_owner_says_is_private_is_asked_at_the_address_that_was_judged(
    monkeypatch, service, ask
):
    port = service.url.rpartition(":")[2]
    connect = socket.create_connection
    reached = []
    monkeypatch.setattr(
        socket, "create_connection", lambda to, *more, **named: (
            reached.append(to[0]), connect(to, *more, **named))[1],
    )  # fmt: skip
    for url, more in (
        (f"http://127.0.0.1:{port}", {}),
        (f"http://localhost:{port}", {}),
        (f"http://ollama:{port}", {}),
        (f"http://model.corp.example:{port}", {"private_hosts": "model.corp.example"}),
    ):
        asked = leads_to(monkeypatch, "127.0.0.1")
        with pytest.raises(REFUSED, match="403"):
            ask(url, **more)
        assert service.heard.pop()
        name = url.split("/")[2].partition(":")[0]
        names = [one for one in asked if one != "127.0.0.1"]  # which a socket looks up too
        assert names == [name] * (name != "127.0.0.1"), "a name is resolved once"
        assert reached.pop() == "127.0.0.1"


@ASKS
def test_a_redirect_is_not_followed(ask):
    with echoing.running(302, location="http://169.254.169.254/latest/") as service:
        with pytest.raises(REFUSED, match="302"):
            ask(service.url)
        assert len(service.heard) == 1
