"""The certificate of the agents' listener: renewed in time, for the same key, and never worse."""

import asyncio
import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentienguard.controlplane import evaluation, server_certificate
from sentienguard.controlplane.settings import Settings, SettingWrong
from sentienguard.trust import certificates

NOW = datetime(2026, 2, 12, 11, 26, tzinfo=UTC)
HALF = certificates.SERVER_LIFETIME / 2
NAMED = Settings(agents_names=" guard.example.org,192.0.2.7 ,")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made")
    evaluation.prepare(place / "centre", place / "offline", {}, now=NOW)
    return place / "centre"


@pytest.fixture
def directory(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "centre")


def shown(directory: Path) -> bytes:
    return certificates.to_der((directory / "tls/server.pem").read_bytes())


def test_a_new_one_is_kept(directory: Path) -> None:
    before = shown(directory)
    assert not server_certificate.keep(directory, Settings(), NOW + HALF - timedelta(hours=1))
    assert shown(directory) == before


def test_at_half_of_its_life_it_is_renewed_for_the_same_key(directory: Path) -> None:
    before = (directory / "tls/server.pem").read_bytes()
    assert server_certificate.keep(directory, Settings(), NOW + HALF)
    after = (directory / "tls/server.pem").read_bytes()
    assert certificates.pin_of(after) == certificates.pin_of(before)
    ends = certificates.life_of(certificates.to_der(after))[1]
    assert ends == NOW + HALF + certificates.SERVER_LIFETIME
    assert not server_certificate.keep(directory, Settings(), NOW + HALF)


def test_new_names_are_taken_at_once_and_given_up_again(directory: Path) -> None:
    assert server_certificate.keep(directory, NAMED, NOW)
    assert certificates.names_of(shown(directory)) == (
        {"localhost", "guard.example.org"},
        {"127.0.0.1", "::1", "192.0.2.7"},
    )
    assert not server_certificate.keep(directory, NAMED, NOW)
    assert server_certificate.keep(directory, Settings(), NOW)
    assert certificates.names_of(shown(directory)) == ({"localhost"}, {"127.0.0.1", "::1"})


def test_where_the_authority_ends_as_soon_nothing_is_written(directory: Path) -> None:
    late = NOW + certificates.AUTHORITY_LIFETIME - timedelta(days=100)
    assert server_certificate.keep(directory, Settings(), late)
    before = shown(directory)
    assert not server_certificate.keep(directory, Settings(), late + timedelta(days=60))
    assert shown(directory) == before


def test_without_the_authority_s_key_the_certificate_stays(directory: Path) -> None:
    before = shown(directory)
    (directory / "tls/ca.key").unlink()
    with pytest.raises(OSError, match=r"ca\.key"):
        server_certificate.keep(directory, NAMED, NOW)
    assert shown(directory) == before


@pytest.mark.parametrize(
    "names", ["*.example.org", "a b", "-a.example", "a..b", "x" * 64, "https://a.example", "a:7444"]
)
def test_what_is_no_name_is_refused(names: str) -> None:
    with pytest.raises(SettingWrong, match="agents_names"):
        server_certificate.named(Settings(agents_names=names))


def test_hosts_are_told_the_first_name(directory: Path) -> None:
    assert server_certificate.called(NAMED) == "guard.example.org"
    assert server_certificate.called(Settings()) is None


def test_a_running_listener_shows_the_new_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_certificate, "INTERVAL_S", 0.001)
    loaded: list[tuple[Path, Path]] = []
    seen = asyncio.Event()

    class Context(ssl.SSLContext):
        def load_cert_chain(self, certfile, keyfile=None, password=None):  # type: ignore[no-untyped-def]
            super().load_cert_chain(certfile, keyfile, password)
            loaded.append((certfile, keyfile))
            seen.set()

    async def run() -> None:
        looks = iter([NOW, NOW + HALF])
        context = Context(ssl.PROTOCOL_TLS_SERVER)
        caring = asyncio.create_task(
            server_certificate.care(directory, Settings(), context, lambda: next(looks, NOW + HALF))
        )
        await asyncio.wait_for(seen.wait(), 20)
        caring.cancel()

    asyncio.run(run())
    assert loaded == [(directory / "tls/server.pem", directory / "tls/server.key")]
