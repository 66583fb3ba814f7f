"""The whole product on this machine: a real fault, and what becomes of it."""

import json

import pytest

from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    place = tmp_path_factory.mktemp("story")
    with installation.running(place, settings={"embeddings": "offline"}) as found:
        yield found


def failed(result):
    return [f"{check.name}: {check.detail}" for check in result.checks if not check.passed]


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("disk-full", "resolved"),
        ("service-hung", "resolved"),
        ("service-degraded", "resolved"),
        ("service-broken-fix", "rolled_back"),
    ],
)
def test_a_fault_ends_as_expected_and_leaves_evidence_that_verifies(installed, name, outcome):
    result = installed.perform(name)
    assert failed(result) == [], installed.logs()
    assert result.outcome == outcome
    record = json.loads(installed.places.records.joinpath(f"{result.incident}.json").read_text())
    assert result.incident in json.dumps(record)


def test_a_second_demo_is_as_good_as_the_first(installed):
    first, second = installed.perform("disk-full"), installed.perform("disk-full")
    assert (failed(first), failed(second)) == ([], []), installed.logs()
    assert first.incident != second.incident


@pytest.mark.parametrize("name", installation.NAMES)
def test_each_process_comes_back_after_a_kill(installed, name):
    before = installed.kill(name)
    installed.restart(name, before=before)
    assert installed.process(name) not in {None, before}
    with installed.client() as asked:
        assert asked.get("/hosts")["items"]
