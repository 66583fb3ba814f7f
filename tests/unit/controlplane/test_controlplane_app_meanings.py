"""Where a hosted embedding model is, and that its key goes there unread."""

import pytest

from sentienguard.controlplane import app_meanings, named_keys
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.ports.secrets import SecretMissing
from tests.support import named_secrets

STORES = named_secrets.Stores(EMBEDDING="sk-1", BROKEN="sk 1\r\nX-Header: y")


@pytest.fixture(params=["file", "name"])
def given(request, tmp_path):
    (tmp_path / "key").write_text("sk-1\n")
    by = {"file": {"embedding_key_file": str(tmp_path / "key")},
          "name": {"embedding_key": "env:EMBEDDING"}}[request.param]  # fmt: skip
    return {"embeddings": "hosted", **by}


@pytest.mark.parametrize(
    "url", ["https://gpu/v1", "http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]/v1"]
)
def test_a_key_goes_where_nobody_between_can_read_it(given, url):
    settings = Settings(**given, embedding_url=url)
    assert app_meanings.hosted(settings, STORES).model.endswith(f"@{url}")
    assert named_keys.named(settings, "embedding_key", STORES)().reveal() == "sk-1"


@pytest.mark.parametrize(
    "url", ["http://gpu/v1", "http://10.0.0.7:80/v1", "http://localhost.evil.org/v1"]
)
def test_a_key_is_never_sent_in_clear_text(given, url):
    with pytest.raises(SettingWrong, match="clear text") as refused:
        app_meanings.hosted(Settings(**given, embedding_url=url), STORES)
    assert "sk-1" not in str(refused.value)


def test_a_server_of_ours_without_a_key_may_speak_plain_http():
    found = app_meanings.hosted(Settings(embedding_url="http://gpu:11434/v1"), STORES)
    assert found.model.endswith("@http://gpu:11434/v1")


@pytest.mark.parametrize(
    ("content", "because"), [(None, "cannot be read"), (b"\xff", "cannot be read"), (b"", "no key"),
                             (b"two\nlines\n", "no key"), ("schlüssel".encode(), "no key")]
)  # fmt: skip
def test_a_key_that_is_none_is_named(tmp_path, content, because):
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(SettingWrong, match=because):
        app_meanings.hosted(Settings(embedding_key_file=str(tmp_path / "key")), STORES)


def test_a_key_that_changed_is_the_next_one(tmp_path):
    file = tmp_path / "key"
    file.write_text("first\n")
    fetch = named_keys.named(Settings(embedding_key_file=str(file)), "embedding_key", STORES)
    file.write_text("second\n")
    assert fetch().reveal() == "second"
    file.unlink()
    with pytest.raises(SecretMissing, match="cannot be read"):
        fetch()


def test_a_secret_that_is_no_key_is_not_sent_and_not_quoted():
    fetch = named_keys.named(Settings(embedding_key="env:BROKEN"), "embedding_key", STORES)
    with pytest.raises(SecretMissing, match="env:BROKEN is no key") as refused:
        fetch()
    assert "X-Header" not in str(refused.value)


def test_a_store_is_not_asked_before_the_key_is_used():
    assert named_keys.named(Settings(embedding_key="env:ABSENT"), "embedding_key", STORES)
