"""What the owner's file says groups mean, and what it may not say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sentienguard.controlplane import sign_on_file
from sentienguard.controlplane.settings import SettingWrong
from sentienguard.model.access import Role

NOW = datetime(2026, 2, 12, 12, 0, tzinfo=UTC)
PLACES = ("staging", "production")
SAID: dict[str, Any] = {
    "issuer": "https://login.example.org",
    "client": "sentienguard",
    "roles": {
        "sre": {"staging": "administrator", "production": "remediation_authority"},
        "everybody": {"*": "observer", "production": "observer"},
        "audit": {"*": "auditor until 2026-02-20"},
    },
}


def read(**changes: Any) -> sign_on_file.SignOnFile:
    return sign_on_file.read({**SAID, **changes}, PLACES, NOW)


@pytest.mark.parametrize(("groups", "roles"), [
    ([], {}),
    (["unheard-of", "SRE", "sre "], {}),
    (["sre"], {"staging": Role.ADMINISTRATOR, "production": Role.REMEDIATION_AUTHORITY}),
    (["everybody"], {"*": Role.OBSERVER, "production": Role.OBSERVER}),
    (["everybody", "sre"], {"*": Role.OBSERVER, "staging": Role.ADMINISTRATOR,
                            "production": Role.REMEDIATION_AUTHORITY}),
])  # fmt: skip
def test_of_several_groups_the_largest_role_counts(
    groups: list[str], roles: dict[str, Role]
) -> None:
    assert read().roles(groups, NOW) == (roles, {})
    assert read().roles(reversed(groups), NOW) == (roles, {})


def test_an_auditors_role_ends_with_its_last_day() -> None:
    ends = datetime(2026, 2, 21, tzinfo=UTC)
    assert read().roles(["audit", "everybody"], NOW) == (
        {"*": Role.AUDITOR, "production": Role.OBSERVER},
        {"*": ends},
    )
    assert read().roles(["audit"], ends) == ({}, {})
    assert read().roles(["audit", "everybody"], ends)[1] == {}


def test_a_larger_role_takes_no_end_over() -> None:
    boss = {**SAID["roles"], "boss": {"*": "administrator"}}
    found = read(roles=boss).roles(["audit", "boss"], NOW)
    assert found == ({"*": Role.ADMINISTRATOR}, {})


@pytest.mark.parametrize("changes", [
    {"issuer": ""}, {"issuer": 7}, {"issuer": "http://login.example.org"}, {"issuer": "a\nb"},
    {"client": None}, {"roles": {}}, {"roles": []}, {"roles": {"sre": "administrator"}},
    {"roles": {"sre": {"moon": "observer"}}}, {"roles": {"sre": {"*": "owner"}}},
    {"roles": {"sre": {"*": "auditor"}}}, {"roles": {"sre": {"*": "auditor until 2026-03-15"}}},
    {"roles": {"sre": {"*": "auditor until 2026-02-30"}}}, {"algorithms": ["HS256"]},
    {"algorithms": ["none"]}, {"algorithms": "RS256"}, {"scopes": ["profile"]},
    {"private": "yes"}, {"secrets": []}, {"also": "https://x"}, {"strong_ways": [1]},
    {"unheard_of": 1}, {"command_line": "browser"}, {"command_line": ["telnet"]},
    {"command_line": True},
])  # fmt: skip
def test_what_the_file_may_not_say(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingWrong):
        read(**changes)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"issuer": "https://x", "client": "y"}])
def test_what_is_no_such_file(document: Any) -> None:
    with pytest.raises(SettingWrong):
        sign_on_file.read(document, PLACES, NOW)


@pytest.mark.parametrize("ways", [[], ["browser"], ["paste"], ["paste", "browser"]])
def test_the_owner_says_how_command_lines_get_their_codes(ways: list[str]) -> None:
    assert read().command_line == ("browser", "paste")
    assert read(command_line=ways).command_line == tuple(ways)


def test_requests_may_go_to_the_issuer_and_to_what_is_named_and_nowhere_else() -> None:
    found = read(also=["https://keys.example.org"]).wanted()
    assert [(one.url, one.private, one.below) for one in found] == [
        ("https://login.example.org", False, False),
        ("https://keys.example.org", False, False),
    ]
