"""Ask operations of an API what schemathesis makes of its description, and judge the answers.

Called by tests/integration/controlplane/test_controlplane_schema.py. Of each operation and role
some requests are as described and some are not; in some of them what the path names exists. An
answer is wrong where its status is 5xx, or where status, media type or body are not described.
"""

import collections
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import hypothesis
import schemathesis
from hypothesis import strategies
from schemathesis import Case, GenerationMode, checks
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks as openapi_checks

ENDLESS = {"GET /api/v1/live"}  # a stream; the matrix of access asks it
JUDGES = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]

LONG_ADDRESS = 60_000
REFUSED_BELOW = "Invalid HTTP request received."  # by the HTTP parser: an address of over 64 KiB


@schemathesis.serializer("application/x-protobuf")
def _as_it_is(context: object, value: object) -> bytes:
    """Send any bytes where a message is due."""
    del context
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@dataclass
class Found:
    """What was asked, and what was wrong."""

    answers: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: dict[str, str] = field(default_factory=dict)  # operation and role -> what, how to repeat
    done: set[str] = field(default_factory=set)  # operations that did what was asked, once at least

    @property
    def requests(self) -> int:
        """Return how many requests were answered."""
        return self.answers.total()


def operations(description: Mapping[str, object]) -> Iterator[schemathesis.APIOperation]:
    """Yield the operations of a description that end."""
    for found in schemathesis.openapi.from_dict(dict(description)).get_all_operations():
        operation = found.ok()
        if operation.label not in ENDLESS:
            yield operation


def cases_of(
    operation: schemathesis.APIOperation, things: Mapping[str, str]
) -> strategies.SearchStrategy[Case]:
    """Return its requests, right and wrong; `things` names what exists, by parameter."""
    named = [one.name for one in operation.path_parameters]
    cases = [operation.as_strategy(mode) for mode in GenerationMode]
    if named and set(named) <= set(things):
        known = {name: things[name] for name in named}
        cases.append(operation.as_strategy(path_parameters=known))
    return strategies.one_of(cases)


def ask(
    operation: schemathesis.APIOperation,
    cases: strategies.SearchStrategy[Case],
    address: str,
    bearer: str,
    *,
    examples: int,
    seed: int,
    found: Found,
    name: str,
) -> None:
    """Ask one operation some times as one person."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}

    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.seed(seed)
    @hypothesis.given(cases)
    def run(case: Case) -> None:
        # An answer of an endless or slow kind would be a defect too.
        answer = case.call(base_url=address, headers=headers, timeout=60)
        found.answers[f"{answer.status_code // 100}xx"] += 1
        if answer.status_code // 100 == 2:
            found.done.add(operation.label)
        if answer.text == REFUSED_BELOW and len(answer.request.url) > LONG_ADDRESS:
            return
        try:
            case.validate_response(answer, checks=JUDGES, headers=headers)
        except FailureGroup as problem:
            problem.add_note(case.as_curl_command(headers))
            raise

    with contextlib.suppress(hypothesis.errors.Unsatisfiable):
        try:
            run()
        except (Exception, FailureGroup) as problem:  # noqa: BLE001 - one run tells all
            notes = "\n".join(getattr(problem, "__notes__", ()))
            found.wrong[f"{operation.label} as {name}"] = f"{problem}\n{notes}"[:3000]
