"""Every operation of the API x role x environment x state of the token, against a second opinion.

The rules are those of tests/support/access_rules.py. Whoever may not is refused with 401, 403 or
404, whatever else is wrong with the request; whoever may is not. No answer names a host of an
environment that its reader may not see.
"""

from collections.abc import Iterator

import httpx
import pytest

from sentienguard.controlplane.centre import Centre
from tests.support import access_matrix, api_world
from tests.support.access_rules import RULES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with api_world.centre(tmp_path_factory.mktemp("matrix")) as made:
        yield made


@pytest.fixture(scope="module")
def client(centre: Centre) -> Iterator[httpx.Client]:
    with api_world.client(centre) as made:
        yield made


def operations(client: httpx.Client) -> list[str]:
    described = client.get("/openapi.json").json()["paths"]
    return [f"{method.upper()} {path}" for path, methods in described.items() for method in methods]


def test_every_operation_has_a_rule_and_every_rule_an_operation(client: httpx.Client) -> None:
    found = operations(client)
    assert sorted(found) == sorted(RULES), "add the operation to tests/support/access_rules.py"


def test_the_matrix(centre: Centre, client: httpx.Client) -> None:
    wrong, seen = access_matrix.wrong_for_people(centre, client)
    examples = {operation: said for operation, *said in wrong}
    assert examples == {}, f"{len(wrong)} of {seen.total()}"
    assert seen["2xx"] > 200, seen  # the matrix asks for something
    assert seen["4xx"] > 1000, seen
    assert seen["5xx"] == 0, seen


def test_no_token_that_is_not_valid_opens_anything(centre: Centre, client: httpx.Client) -> None:
    assert access_matrix.opened_without_a_valid_token(centre, client) == []


def test_a_machine_reads_its_environment_and_changes_nothing(
    centre: Centre, client: httpx.Client
) -> None:
    assert access_matrix.wrong_for_a_machine(centre, client) == []


def test_a_role_that_is_over_opens_nothing(centre: Centre, client: httpx.Client) -> None:
    assert access_matrix.opened_by_a_role_that_is_over(centre, client) == []
