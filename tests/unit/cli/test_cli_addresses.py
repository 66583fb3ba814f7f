"""No password stands in an address: not on a command line, not in a setting."""

import pytest

from sentienguard.cli import main, prometheus_options
from sentienguard.controlplane import settings
from sentienguard.model import addresses, errors

SECRET = "hunter2-in-an-address"
WITH = f"https://me:{SECRET}@guard.example:9090/prometheus"


@pytest.mark.parametrize(
    "address",
    [
        WITH,
        f"http://{SECRET}@p",
        f"https://me:{SECRET}@[::1]:9090",
        f"HTTP://me:{SECRET}@p/x?y=z",
        f"//me:{SECRET}@p",
        f"me:{SECRET}@p:9090",
        f"  https://me:{SECRET}@p",
        f"https://me:{SECRET}@other@p",
        f"https://:{SECRET}@p",
    ],
)
def test_a_name_or_a_password_before_the_host_is_seen(address):
    assert addresses.names_somebody(address)


@pytest.mark.parametrize(
    "address",
    [
        "https://p:9090",
        "http://[::1]:9090/x",
        "https://p/team@example.org",
        "https://p?to=me@example.org",
        "https://p#a@b",
        "p:9090",
        "",
    ],
)
def test_an_at_sign_behind_the_host_is_none(address):
    assert not addresses.names_somebody(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example:7443",
        "http://localhostess",
        "http://127.0.0.1:x",
        "http://127.0.0.2",
        "http://[::1].evil.example",
        "http://[::2]",
        "http://guard.example",
        "https://",
        "https:guard.example",
        "httpss://guard.example",
        "ftp://localhost",
        "guard.example:7443",
        "//localhost",
        "https://[::1",
        "",
    ],
)
def test_what_would_cross_a_network_in_the_clear_is_seen_and_refused(address, tmp_path, capsys):
    assert not addresses.crosses_no_network_in_the_clear(address)
    words = ["login", "--name", "dan", "--data", str(tmp_path / "out")]
    assert main.main([*words, f"--server={address or '/'}"]) == 2
    assert "clear text" in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(
    "address",
    ["https://guard.example", "http://localhost:7443", "http://127.0.0.1:1", "http://[::1]:7443/"],
)
def test_what_is_encrypted_or_stays_here_is_not_refused(address):
    assert addresses.crosses_no_network_in_the_clear(address)


COMMANDS = {
    "backtest": ("backtest", "--prometheus", WITH, "--out", "{here}"),
    "backtest, alerts": (
        "backtest", "--prometheus", "http://127.0.0.1:1", "--alertmanager", WITH, "--out", "{here}",
    ),
    "history": ("history", "import", "--prometheus", WITH, "--data", "{here}"),
    "login": ("login", "--name", "dan", "--server", WITH, "--data", "{here}"),
    "login, with a provider": (
        "login", "--sso", "--server", WITH, "--data", "{here}",
    ),
    "login in the clear": (
        "login", "--name", "dan", "--server", f"http://me:{SECRET}@far", "--data", "{here}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_command_refuses_it_says_what_to_do_and_does_not_repeat_it(words, tmp_path, capsys):
    given = [one.format(here=tmp_path / "out") for one in words]
    assert main.main(given) in {1, 2}
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    said = " ".join(err.replace("│", " ").split())
    assert "a name or a password before the host" in said
    assert any(way in said for way in ("--password-file", "--alerts", "give --name"))
    assert not (tmp_path / "out").exists()


SHOWN_WITHOUT = {"database_url", "loki_url"}  # they may carry a password
ADDRESSES = [
    name for name in settings.sentences() if name.endswith("_url") and name not in SHOWN_WITHOUT
]


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_setting_refuses_it_and_does_not_repeat_it(name, tmp_path):
    with pytest.raises(settings.SettingWrong, match="name or a password before") as refused:
        settings.load(tmp_path, {f"SENTIENGUARD_{name.upper()}": WITH})
    assert SECRET not in str(refused.value)
    (tmp_path / settings.FILE_NAME).write_text(f"{name}: {WITH}\n")
    with pytest.raises(settings.SettingWrong, match=name) as refused:
        settings.load(tmp_path, {})
    assert SECRET not in str(refused.value)


def test_prometheus_names_its_way_out(tmp_path):
    with pytest.raises(settings.SettingWrong, match="prometheus_password_file"):
        settings.load(tmp_path, {"SENTIENGUARD_PROMETHEUS_URL": WITH})


def test_the_password_of_a_server_comes_from_a_file_and_is_not_shown(tmp_path):
    (tmp_path / "password").write_text(f"{SECRET}\n")
    proof = prometheus_options.Proof(user="me", password_file=tmp_path / "password")
    made = prometheus_options.server("https://p:9090", "instance", None, proof)
    assert made.user == "me"
    assert made.key().reveal() == SECRET
    assert SECRET not in repr(made)


def test_a_secret_of_a_server_comes_by_its_name_when_it_is_used(tmp_path):
    file = tmp_path / "token"
    proof = prometheus_options.Proof(named=f"file:{file}", stores=tmp_path)
    made = prometheus_options.server("https://p:9090", "instance", None, proof)
    for text in (SECRET, "rotated"):
        file.write_text(f"{text}\n")
        file.chmod(0o600)
        assert made.key().reveal() == text
    unknown = prometheus_options.Proof(named="vault:kv/sg#prometheus", stores=tmp_path)
    with pytest.raises(errors.Rejected, match="begins with one of"):
        prometheus_options.server("https://p:9090", "instance", None, unknown)
    (tmp_path / "secrets.yaml").write_text("vault: {url: https://v.example, token: env:T}\n")
    assert prometheus_options.server("https://p:9090", "instance", None, unknown).key


@pytest.mark.parametrize("name", ["adviser_key", "embedding_key", "loki_key", "prometheus_token"])
def test_a_secret_where_its_name_belongs_is_refused_and_not_shown(tmp_path, name):
    with pytest.raises(
        settings.SettingWrong, match=f"setting {name}: expected a secret's name"
    ) as no:
        settings.load(tmp_path, {f"SENTIENGUARD_{name.upper()}": SECRET})
    assert SECRET not in str(no.value)
    for known in ("env:KEY", "vault:kv/sg#key", "gcp:sg/3", "azure:sg", "file:/run/key", ""):
        assert settings.load(tmp_path, {f"SENTIENGUARD_{name.upper()}": known})


@pytest.mark.parametrize("host", ["logs.example", "10.0.0.7:3100", "localhost.evil.org"])
def test_a_password_in_the_address_of_loki_crosses_no_network_in_the_clear(tmp_path, host):
    for plain in (f"http://ann:{SECRET}@{host}", f"//ann:{SECRET}@{host}", f"ann:{SECRET}@{host}"):
        with pytest.raises(settings.SettingWrong, match="loki_url") as refused:
            settings.load(tmp_path, {"SENTIENGUARD_LOKI_URL": plain})
        assert SECRET not in str(refused.value)
    for right in (f"https://ann:{SECRET}@{host}", f"http://ann:{SECRET}@127.0.0.1:3100"):
        assert settings.load(tmp_path, {"SENTIENGUARD_LOKI_URL": right}).loki_url == right


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://localhost:11434", True), ("http://127.0.0.1:11434/v1", True),
        ("http://[::1]:9090", True), ("http://10.0.0.5:3100", True), ("http://loki:3100", True),
        ("http://loki.monitoring.svc:3100", True), ("https://loki.shop.internal", True),
        ("https://ann:word@nas.local", True), ("https://prom.corp.example", True),
        ("https://PROM.corp.example", True), ("https://api.openai.com/v1", False),
        ("https://localhost.evil.org", False), ("https://internal", True),
        ("https://evil.prom.corp.example", False), ("https://local.example", False),
        ("https://[", False), ("", False),
    ],
)  # fmt: skip
def test_an_address_says_whether_it_need_not_be_public(url, private):
    known = settings.Settings(private_hosts="other.example, prom.corp.example")
    assert settings.may_be_private(known, url) is private


@pytest.mark.parametrize(
    "proof",
    [
        prometheus_options.Proof(user="me"),
        prometheus_options.Proof(password_file="x"),
        prometheus_options.Proof(user="me", password_file="x", token_file="y"),
        prometheus_options.Proof(user="me", token_file="y"),
        prometheus_options.Proof(token_file="y", named="env:Y"),
        prometheus_options.Proof(user="me", password_file="x", named="env:Y"),
    ],
)
def test_half_a_proof_or_two_are_refused(proof):
    with pytest.raises(errors.Rejected, match="expected"):
        prometheus_options.server("https://p:9090", "instance", None, proof)
