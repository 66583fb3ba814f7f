"""Every bundled cloud playbook, run whole by a real executor that is the relay.

AWS answers by its protocols over HTTP (moto, with what moto has not: tests/servers/aws_account.py).
Google Cloud and Azure are a program of the tests in the place of the operator's `gcloud` and `az`
that keeps an account and takes only documented command lines (tests/servers/cloud_program.py). No
hosted service was asked: that the clouds themselves obey is not shown here.
"""

import dataclasses

import pytest

from sentienguard.adapters.remote_programs import aws_helper
from sentienguard.playbook import parse
from sentienguard.stages.execute import verification
from tests.servers import aws_account, cloud_accounts
from tests.support import real_kinds, real_playbooks

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(300),  # each look at AWS is a process of its own that loads boto3
]
Mode = cloud_accounts.Mode
SOON = {"retry_delay: 3s": "retry_delay: 100ms"}


@dataclasses.dataclass(frozen=True)
class Case:
    """One playbook: what it is about, what it does, and what it can put back."""

    playbook: str
    program: str  # of the account: aws, gcloud or az
    parameter: str
    kind: str
    step: str
    raised_to: int | None = None  # the number after it; None: it starts something instead
    bound: int | None = None  # the number at which people decide
    put_back: bool = False

    def __str__(self) -> str:
        return self.playbook


CASES = [
    Case("aws_instance_reboot", "aws", "instance", "ec2_instance", "reboot_instance"),
    Case("aws_group_refresh", "aws", "group", "ec2_group", "refresh_instances"),
    Case("aws_database_storage", "aws", "database", "rds_database", "raise_storage", 120, 1000),
    Case(
        *("aws_function_concurrency", "aws", "function", "lambda_function", "raise_concurrency"),
        *(15, 200),
        put_back=True,
    ),
    Case("aws_service_redeploy", "aws", "service_object", "ecs_service", "redeploy_service"),
    Case("gcp_instance_reset", "gcloud", "instance", "gce_instance", "reset_instance"),
    Case("gcp_group_resize", "gcloud", "group", "gce_group", "resize_group", 6, 20, put_back=True),
    Case("gcp_sql_restart", "gcloud", "database", "gcp_sql", "restart_sql"),
    Case("azure_vm_restart", "az", "machine", "azure_vm", "restart_vm"),
    Case("azure_webapp_restart", "az", "app", "azure_webapp", "restart_webapp"),
    Case(
        "azure_scale_set_grow", "az", "group", "azure_scale_set", "scale_set", 6, 20, put_back=True
    ),
]
EACH = pytest.mark.parametrize("case", CASES, ids=str)
STEPS = {"aws": "aws_cli", "gcloud": "gcloud", "az": "az_cli"}
HEALED = pytest.mark.parametrize(
    "case",
    [
        pytest.param(one, marks=real_kinds.runs(f"step {STEPS[one.program]}.{one.step}"))
        for one in CASES
    ],
    ids=str,
)


@pytest.fixture(scope="module")
def endpoint():
    with aws_account.serving() as address:
        yield address


@pytest.fixture
def account(case, tmp_path, request):
    if case.program == "aws":
        endpoint = request.getfixturevalue("endpoint")
        with aws_account.running(endpoint, tmp_path, case.kind) as made:
            yield made
    else:
        yield cloud_accounts.ProgramAccount(tmp_path, case.program)


@pytest.fixture
def bench(account, tmp_path):
    made = real_playbooks.Bench(tmp_path, relays={"cloud": account.target})
    yield made
    made.close()
    assert account.wrong() == []


def given(case, account, **changes):
    swap = dict(SOON)
    if case.playbook == "aws_function_concurrency":
        swap["retry_delay: 6s"] = "retry_delay: 100ms"
    return {"swap": swap, case.parameter: f"cloud/{account.name(case.kind)}", **changes}


@HEALED
def test_it_heals_and_twice_is_once(case, account, bench):
    before = account.capacity(case.kind)
    bench.heals(case.playbook, **given(case, account))
    assert len(account.acts()) == 1
    assert account.capacity(case.kind) == (case.raised_to or before)


@EACH
def test_what_is_well_and_what_is_at_its_bound_is_left_alone(case, account, bench):
    if case.bound is not None:
        account.set_capacity(case.kind, case.bound)
        bench.leaves_alone(case.playbook, **given(case, account))
        account.set_capacity(case.kind, 4)
    account.heal(case.kind)
    bench.leaves_alone(case.playbook, **given(case, account))
    assert account.acts() == []


def left(case, ended):
    """Check that what remains is called by its name, or that nothing remains."""
    if case.put_back:
        return (ended["outcome"], ended["left_behind"]) == ("ROLLED_BACK", [])
    return (ended["outcome"], ended["left_behind"]) == ("PARTIALLY_ROLLED_BACK", [case.step])


@EACH
def test_an_error_after_it_is_looked_at_or_named(case, account, bench):
    account.set_mode(Mode.FAILS_AFTER_IT)
    ended = bench.give(case.playbook, **given(case, account))
    assert len(account.acts()) == 1
    if case.raised_to is None:  # whether a restart began, nobody can tell afterwards
        assert left(case, ended), (ended, bench.told())
    else:  # a number tells that it was done
        assert ended["outcome"] == "SUCCESS", (ended, bench.told())
        assert account.capacity(case.kind) == case.raised_to


@EACH
def test_what_does_not_help_is_undone_or_named(case, account, bench):
    before = account.capacity(case.kind)
    account.set_mode(Mode.DOES_NOT_HELP)
    fewer = {**given(case, account)["swap"], "retry: 8": "retry: 2"}
    ended = bench.give(case.playbook, **given(case, account, swap=fewer))
    assert left(case, ended), (ended, bench.told())
    if case.put_back:
        assert len(account.acts()) == 2
        assert account.capacity(case.kind) == before


PROGRAMS = pytest.mark.parametrize("case", [one for one in CASES if one.program != "aws"], ids=str)


@PROGRAMS
def test_an_error_before_it_is_not_called_success_and_leaves_the_number(case, account, bench):
    before = account.capacity(case.kind)
    account.set_mode(Mode.FAILS_BEFORE_IT)
    ended = bench.give(case.playbook, **given(case, account))
    assert left(case, ended), (ended, bench.told())
    assert (account.acts(), account.capacity(case.kind)) == ([], before)


@PROGRAMS
def test_when_nobody_can_be_asked_after_it_its_effect_is_named(case, account, bench):
    account.set_mode(Mode.IS_GONE_AFTER_IT)
    fewer = {**SOON, "retry: 8": "retry: 2"}
    ended = bench.give(case.playbook, **given(case, account, swap=fewer))
    assert ended["outcome"] == "PARTIALLY_ROLLED_BACK", (ended, bench.told())
    assert ended["left_behind"] == [case.step]
    assert len(account.acts()) == 1


@pytest.mark.parametrize("case", [CASES[3]], ids=str)
def test_a_throttle_from_long_before_is_none(case, account, bench):
    account.throttle(ago_s=aws_helper.THROTTLED_S + aws_helper.MINUTE_S + 60)
    bench.leaves_alone(case.playbook, **given(case, account))


def test_a_function_s_verification_outlasts_the_throttles_from_before_the_raise():
    stored = (real_playbooks.PLAYBOOKS / "aws_function_concurrency" / "playbook.yaml").read_bytes()
    well = parse.load(stored, origin="test").verification[0]
    longest = aws_helper.THROTTLED_S + aws_helper.MINUTE_S  # the start is rounded to its minute
    assert sum(verification.waits(well)) > longest
