"""Every operation of the API, asked by everybody with what its description allows and forbids.

No answer is 5xx, and each is one that the description tells of. In `make test` a few requests of
each operation, in `make thorough` over 50,000.
"""

import zlib
from collections.abc import Iterator

import httpx
import pytest

from sentienguard.controlplane.centre import Centre
from sentienguard.model import ids
from sentienguard.model.access import Role
from tests.contract import stores_nouns as nouns
from tests.support import api_fuzz, api_world, effort

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(effort.pick(180, thorough=5_400)),
    pytest.mark.filterwarnings("default"),
]
ROLES = ("none", "", *(role.value for role in Role))
EXAMPLES = effort.pick(1, thorough=90)  # of each operation and role
LEAST = effort.pick(700, thorough=50_000)
# Operations of 162 that are to do what was asked, once at least. Not a share of the requests: what
# is right runs out soon, and what is wrong never does.
DONE = effort.pick(50, thorough=75)
INCIDENT = nouns.incident(1).id
THINGS = {
    "incident_id": str(INCIDENT),
    "approval_id": str(ids.approval_id(INCIDENT, nouns.DIGEST)),
    "agent_id": str(nouns.agent(1).id),
    "window_id": "silence-staging",
    "index": "0",
}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with api_world.centre(tmp_path_factory.mktemp("schema")) as made:
        yield made


@pytest.fixture(scope="module")
def client(centre: Centre) -> Iterator[httpx.Client]:
    with api_world.client(centre) as made:
        yield made


def test_no_answer_is_5xx_or_other_than_described(centre: Centre, client: httpx.Client) -> None:
    found = api_fuzz.Found()
    address = str(client.base_url).rstrip("/")
    for operation in api_fuzz.operations(client.get("/openapi.json").json()):
        cases = api_fuzz.cases_of(operation, THINGS)
        for role in ROLES:
            # A login of its own, since requests end logins; named, so that a run can be repeated.
            person = api_world.person(role, "*")
            bearer = "" if role == "none" else api_world.token(centre, person)
            api_fuzz.ask(
                operation,
                cases,
                address,
                bearer,
                examples=EXAMPLES,
                seed=zlib.crc32(f"{operation.label} {role}".encode()),
                found=found,
                name=role or "nobody in particular",
            )
    if found.wrong:
        told = "\n\n".join(f"{operation}: {what}" for operation, what in found.wrong.items())
        pytest.fail(f"{len(found.wrong)} of {found.requests}:\n{told}", pytrace=False)
    assert found.answers["5xx"] == 0, found.answers
    assert found.requests >= LEAST, found.answers
    assert len(found.done) >= DONE, "a fuzz that is refused nearly everywhere shows little"
