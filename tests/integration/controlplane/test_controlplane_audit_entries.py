"""The log looked through: by kind, actor, number and time, and only what one may see."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentienguard.controlplane.api import audit
from sentienguard.controlplane.centre import Centre
from sentienguard.ports.audit_log import Entry, EntryRefused, NewEntry, SignedEntry
from sentienguard.trust import canonical, keys
from tests.contract import stores_nouns as nouns
from tests.support import api_world

pytestmark = pytest.mark.integration
PEOPLE = ("ada@local", "bob@local")
COUNT = 40
BEGINS = datetime.now(UTC) + timedelta(hours=1)  # after all that stands in the log before
HIDDEN = "production"
ALARM = "agent.alarm"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with api_world.centre(tmp_path_factory.mktemp("audit-entries")) as made:
        made.log.append_many([
            NewEntry(
                kind="freeze.set" if number % 4 else "freeze.cleared",
                at=BEGINS + timedelta(hours=number),
                environment=HIDDEN if number % 2 else "staging",
                source="cp",
                actor=PEOPLE[number % 3 == 0],
                key=f"told/{number}",
                data={"number": number},
            )
            for number in range(COUNT)
        ])  # fmt: skip
        refused = made.log.append_many(written_by_agents(made))
        assert [one for one in refused if isinstance(one, EntryRefused)] == []
        yield made


def written_by_agents(centre: Centre) -> list[Entry]:
    """What an agent in each environment wrote, and what the control plane wrote at its request."""
    said: list[Entry] = []
    for number, place in enumerate(("staging", HIDDEN), 7):
        key = keys.SigningKey.generate()
        agent = replace(nouns.agent(number), host=f"web-in-{place}", environment=place)
        centre.agents.add(replace(agent, executor_key=key.public.text))
        leaf = canonical.encode({
            "v": 1, "kind": ALARM, "ts_ms": int(BEGINS.timestamp() * 1000), "env": place,
            "src": f"agent:{agent.id}", "src_seq": 1, "src_prev": "", "actor": f"agent:{agent.id}",
            "incident": "", "key": f"{ALARM}/1", "controls": [], "data": {}, "blobs": [],
        })  # fmt: skip
        said.append(SignedEntry(leaf, key.sign(leaf)))
        said += [
            NewEntry(
                kind=ALARM, at=BEGINS - timedelta(minutes=1), environment=place, source="cp",
                actor=agent.id, key=f"by/{agent.id}/{len(data)}", data=data,
            )
            for data in ({"agent": agent.id}, {})  # the second of an account that is called like it
        ]  # fmt: skip
    return said


@pytest.fixture(scope="module")
def ask(centre: Centre) -> Iterator[Any]:
    with api_world.client(centre) as client:

        def asked(granted: str = "*", path: str = "audit/entries", **query: Any) -> Any:
            bearer = api_world.token(centre, api_world.person("observer", granted))
            headers = {"authorization": f"Bearer {bearer}"}
            answer = client.get(f"/api/v1/{path}", params=query, headers=headers)
            assert answer.status_code == 200, answer.text
            return answer.json()

        yield asked


def every(ask: Any, granted: str = "*", **query: Any) -> list[dict[str, Any]]:
    """Follow the pages to the end."""
    found, cursor = [], None
    for _ in range(1000):
        page = ask(granted, **query, **({"cursor": cursor} if cursor else {}))
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
    raise AssertionError("pages without an end")


@pytest.mark.parametrize("limit", [1, 7, 200])
@pytest.mark.parametrize(("query", "numbers"), [
    ({"kind": "freeze.cleared"}, range(0, COUNT, 4)),
    ({"kind": "freeze."}, range(COUNT)),
    ({"kind": "freez", "actor": PEOPLE[1]}, range(0, COUNT, 3)),
    ({"actor": "nobody@local"}, ()),
])  # fmt: skip
def test_pages_hold_what_was_asked_for_the_newest_first(ask, query, numbers, limit) -> None:
    found = every(ask, **query, limit=limit)
    assert [one["data"]["number"] for one in found] == list(reversed(numbers))


def test_a_page_ends_after_so_much_was_read_and_the_next_goes_on(ask, monkeypatch) -> None:
    monkeypatch.setattr(audit, "MOST_READ", 5)
    newest = ask(limit=1)["items"][0]["index"]
    page = ask(actor="nobody@local")
    assert page == {"items": [], "next_cursor": str(newest + 1 - 5)}
    assert [one["data"]["number"] for one in every(ask, kind="freeze.cleared")] == list(
        range(COUNT - 4, -1, -4)
    )


def test_a_span_of_time_is_found_without_reading_all_of_it(ask, monkeypatch) -> None:
    span = {
        "since": (BEGINS + timedelta(hours=9.5)).isoformat(),
        "until": (BEGINS + timedelta(hours=20.5)).isoformat(),
    }
    monkeypatch.setattr(audit, "MOST_READ", 11)
    page = ask(kind="freeze", **span)
    assert [one["data"]["number"] for one in page["items"]] == list(range(20, 9, -1))
    assert page["next_cursor"] is None
    assert every(ask, since=(BEGINS + timedelta(days=9)).isoformat()) == []


def test_a_number_leads_to_its_entry(ask) -> None:
    wanted = every(ask, kind="freeze")[7]["index"]
    page = ask(entry=wanted, limit=3)
    assert [one["index"] for one in page["items"]] == [wanted, wanted - 1, wanted - 2]
    following = ask(entry=wanted, limit=3, cursor=page["next_cursor"])
    assert following["items"][0]["index"] == wanted - 3
    assert ask(entry=10**9, limit=1)["items"] == ask(limit=1)["items"]


@pytest.mark.parametrize("query", [{}, {"kind": "freeze.set"}, {"actor": PEOPLE[0]}, {"entry": 12}])
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_who_sees_one_environment_finds_nothing_of_another(ask, query, limit) -> None:
    found = every(ask, "staging", **query, limit=limit)
    assert all(one["data"].get("number", 0) % 2 == 0 for one in found)
    whole = every(ask, **query, limit=200)
    ours = [one for one in whole if one["data"].get("number", 1) % 2 == 0]
    assert [one["index"] for one in found if "number" in one["data"]] == [
        one["index"] for one in ours
    ]


def test_what_an_agent_wrote_is_shown_with_the_name_of_its_host_beside_its_id(ask) -> None:
    found = every(ask, kind=ALARM)
    shown = {(one["host"], one["source"] == "cp", "agent" in one["data"]) for one in found}
    for host in ("web-in-staging", "web-in-production"):
        assert {(host, False, False), (host, True, True)} <= shown
    assert {one["host"] for one in found if one["source"] == "cp" and not one["data"]} == {""}
    assert all(one["actor"] not in {one["host"], ""} for one in found)
    proven = next(one for one in found if one["host"])
    assert ask(path=f"audit/proof/{proven['index']}")["host"] == proven["host"]


def test_the_name_of_a_host_finds_what_its_agent_wrote(ask) -> None:
    found = every(ask, actor="web-in-staging", kind=ALARM)
    assert len(found) == 3
    assert len({one["actor"].removeprefix("agent:") for one in found}) == 1


@pytest.mark.parametrize("host", ["web-in-staging", "web-in-production"])
def test_who_may_not_see_a_host_learns_nothing_by_its_name(ask, host) -> None:
    seen = every(ask, "staging", actor=host)
    assert bool(seen) is (host == "web-in-staging")
    assert {one["host"] for one in every(ask, "staging")} <= {"", "web-in-staging"}


@pytest.mark.parametrize(("query", "hosts"), [
    ({"severity": "critical"}, {"host-in-staging", "host-in-production"}),
    ({"severity": "info"}, set()),
    ({"until": "2026-02-12T11:26:02Z"}, {"host-in-staging"}),
    ({"since": "2026-02-12T11:26:02+00:00"}, {"host-in-production"}),
    ({"since": "2026-02-12T13:26:02+01:00"}, set()),
])  # fmt: skip
def test_incidents_are_found_by_severity_and_time(ask, query, hosts) -> None:
    found = ask(path="incidents", **query)["items"]
    assert {one["host"] for one in found} == hosts
