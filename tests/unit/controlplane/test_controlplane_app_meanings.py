"""Where a hosted embedding model is, and that its key goes there unread."""

import pytest

from sentienguard.controlplane import app_meanings
from sentienguard.controlplane.settings import Settings, SettingWrong


@pytest.fixture
def given(tmp_path):
    (tmp_path / "key").write_text("sk-1\n")
    return {"embeddings": "hosted", "embedding_key_file": str(tmp_path / "key")}


@pytest.mark.parametrize(
    "url", ["https://gpu/v1", "http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]/v1"]
)
def test_a_key_goes_where_nobody_between_can_read_it(given, url):
    assert app_meanings.address_of(Settings(**given, embedding_url=url)).key == "sk-1"


@pytest.mark.parametrize(
    "url", ["http://gpu/v1", "http://10.0.0.7:80/v1", "http://localhost.evil.org/v1", "gpu/v1"]
)
def test_a_key_is_never_sent_in_clear_text(given, url):
    with pytest.raises(SettingWrong, match="clear text") as refused:
        app_meanings.address_of(Settings(**given, embedding_url=url))
    assert "sk-1" not in str(refused.value)


def test_a_server_of_ours_without_a_key_may_speak_plain_http():
    found = app_meanings.address_of(Settings(embedding_url="http://gpu:11434/v1"))
    assert (found.url, found.key) == ("http://gpu:11434/v1", "")


@pytest.mark.parametrize(
    ("content", "because"), [(None, "cannot be read"), (b"\xff", "cannot be read"),
                             (b"two\nlines\n", "no key"), ("schlüssel".encode(), "no key")]
)  # fmt: skip
def test_a_key_that_is_none_is_named(tmp_path, content, because):
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(SettingWrong, match=because):
        app_meanings.address_of(Settings(embedding_key_file=str(tmp_path / "key")))
