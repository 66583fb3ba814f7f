"""agent.json: what is written is read again, and a mistake is named with its place."""

import dataclasses
import json

import pytest

from sentienguard.agent import settings

GOOD = {
    "agent_id": "11111111-2222-4333-8444-555555555555",
    "host": "web-1",
    "environment": "production",
    "tags": {"role": "primary"},
    "server": "https://127.0.0.1:8443",
    "pins": ["a" * 64],
    "root_digest": "sha256:" + "0" * 64,
    "interval_s": 30,
    "volumes": [{"path": "/srv/data/", "budget_bytes": 1000}, {"path": "/"}],
    "services": {
        "web": {
            "start": ["/usr/bin/env", "python3"],
            "pid_file": "/run/web.pid",
            "health_url": "http://127.0.0.1:8080/healthz",
            "log_file": "/var/log/web.log",
        }
    },
    "log_files": ["/var/log/syslog"],
    "limits": {"top": 3},
}


def read(**changes):
    return settings.parse(json.dumps(GOOD | changes).encode(), "agent.json")


def test_the_documented_file_is_read():
    found = read()
    assert found.server_addresses == (("127.0.0.1", 8443),)
    assert found.volumes[0] == settings.Volume("/srv/data", 1000)
    assert found.services["web"].config_file is None
    assert (found.limits.top, found.limits.log_lines) == (3, 20)


def test_several_servers_are_read_in_their_order():
    found = read(server="https://a.example:7444 https://[::1] https://10.0.0.2:1")
    assert found.server_addresses == (("a.example", 7444), ("::1", 443), ("10.0.0.2", 1))
    assert settings.parse(settings.render(found)) == found


def test_what_is_rendered_is_read_again_equal():
    assert settings.parse(settings.render(read())) == read()


def test_software_that_is_asked_without_a_user_is_read_again_equal():
    asked = settings.Software("redis", "redis", "127.0.0.1:6379", "", None)
    whole = dataclasses.replace(read(), software=(asked,))
    assert settings.parse(settings.render(whole)) == whole


CASES = [
    ({"agent_id": "web-1"}, "agent_id"),
    ({"host": ""}, "host"),
    ({"host": "a\nb"}, "host"),
    ({"environment": "*"}, "environment"),
    ({"tags": []}, "tags"),
    ({"tags": {"a": 1}}, "tags.a"),
    ({"server": "http://127.0.0.1"}, "server"),
    ({"server": "https://user@127.0.0.1"}, "server"),
    ({"server": "https://127.0.0.1:port"}, "server"),
    ({"server": 1}, "server"),
    ({"server": ""}, "server"),
    ({"server": "https://a,https://b"}, "server"),
    ({"server": "https://a  https://b"}, "server"),
    ({"server": "https://a http://b"}, "server"),
    ({"server": " ".join(["https://a"] * 9)}, "server"),
    ({"pins": []}, "pins"),
    ({"pins": ["A" * 64]}, "pins[0]"),
    ({"root_digest": "0" * 64}, "root_digest"),
    ({"interval_s": 0}, "interval_s"),
    ({"interval_s": True}, "interval_s"),
    ({"interval_s": float("nan")}, "interval_s"),
    ({"volumes": [{"path": "data"}]}, "volumes[0].path"),
    ({"volumes": [{"path": "/d", "budget_bytes": 0}]}, "volumes[0].budget_bytes"),
    ({"volumes": [{"path": "/d", "budget": 1}]}, "volumes[0].'budget'"),
    ({"services": {"a b": {}}}, "services"),
    ({"services": {"a": {"start": ["sh"], "pid_file": "/p"}}}, "services.a.start"),
    ({"services": {"a": {"start": ["/sh"], "pid_file": "p"}}}, "services.a.pid_file"),
    ({"services": {"a": {"start": ["/sh"], "pid_file": "/p", "health_url": "file:///x"}}},
     "services.a.health_url"),
    ({"log_files": ["syslog"]}, "log_files[0]"),
    ({"limits": {"spool": 1}}, "limits.'spool'"),
    ({"limits": {"top": 1000}}, "limits.top"),
    ({"limits": {"spool_bytes": -1}}, "limits.spool_bytes"),
    ({"colour": "red"}, "'colour'"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "key"), CASES)
def test_a_mistake_names_file_and_key(changes, key):
    with pytest.raises(settings.SettingsInvalid) as refused:
        read(**changes)
    assert str(refused.value).startswith(f"agent.json: {key}")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 10**5])
def test_a_file_that_is_no_object_is_refused(text):
    with pytest.raises(settings.SettingsInvalid, match=r"agent\.json"):
        settings.parse(text)


def test_a_missing_file_says_how_to_enrol(tmp_path):
    with pytest.raises(settings.SettingsInvalid, match="sentienguard-agent enroll"):
        settings.read(tmp_path)


def test_every_limit_has_bounds():
    assert settings.BOUNDS.keys() == {field.name for field in dataclasses.fields(settings.Limits)}
