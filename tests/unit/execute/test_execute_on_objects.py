"""Steps on objects beyond the host: what an order may name, and that the relay is asked right."""

import dataclasses

import pytest

from sentienguard.model import order, playbook
from sentienguard.playbook import conditions as language
from sentienguard.playbook import objects
from sentienguard.ports import databases, facts, remote_objects
from sentienguard.stages.execute import conditions, parameters, steps, work
from tests.support import pretend_host

WEB = "shop/deployment/prod/web"
WORKLOAD = playbook.Parameter("workload", playbook.ParamType.OBJECT, choices=("deployment",))
PARAM = playbook.Param("workload")


class Cluster:
    def __init__(self):
        self.did = []
        self.status = "crash_loop"

    def allow(self, name):
        if objects.read(name).parts[0] != "prod":
            raise remote_objects.UnknownObject("prod only")

    def measure(self, name, fact):
        self.did.append((name, fact))
        return self.status

    def look(self, asked, effort):
        return {"saw": asked.object}

    def rehearse(self, asked, effort):
        return "it would"

    def act(self, asked, seen, effort):
        self.did.append((asked.step, asked.call, dict(asked.arguments), dict(seen)))
        return remote_objects.Acted("done")

    def restore(self, asked, seen, effort):
        self.did.append(("restore", dict(seen)))
        return remote_objects.Acted("back")


@pytest.fixture
def relay():
    return Cluster()


@pytest.fixture
def host(relay):
    return dataclasses.replace(pretend_host.PretendHost().host(), remotes=relay)


def bound(host, value=WEB):
    return parameters.bind((WORKLOAD,), {"workload": value}, host)


def context(host):
    values = {field.name: None for field in dataclasses.fields(work.Context)}
    return work.Context(**{**values, "host": host, "bound": bound(host), "limit_s": 5.0})


def action(kind, **fields):
    return playbook.Action(kind, {"object": PARAM, **fields})


REFUSED = [
    "shop/deployment/kube-system/dns",  # not let by the owner
    "shop/node/worker-1",  # of another kind than was signed
    "shop/deployment/prod",  # no name
    "shop/deployment/prod/web/extra",
    "shop/deployment/prod/..",
    "shop/deployment/prod/Web",
    "shop/secret/prod/web",
    "/deployment/prod/web",
    "shop/deployment/prod/web?dryRun",
    "-shop/deployment/prod/web",
    "web",
]


@pytest.mark.parametrize("value", REFUSED)
def test_an_order_names_no_object_but_a_declared_one_of_a_signed_kind(host, value):
    if value == "shop/node/worker-1":
        host.remotes.allow = lambda _: None  # the owner let nodes; the playbook did not
    with pytest.raises(parameters.ParameterRefused):
        bound(host, value)


def test_a_host_that_is_no_relay_refuses_every_object():
    with pytest.raises(parameters.ParameterRefused, match="no relay"):
        bound(pretend_host.PretendHost().host())


def test_a_fact_of_an_object_is_measured_of_the_parameter(host, relay):
    condition = language.parse("workload_status == crash_loop")
    assert conditions.judge(condition, bound(host), {}, host).holds
    relay.status = "ok"
    assert not conditions.judge(condition, bound(host), {}, host).holds
    assert relay.did == [(WEB, "workload_status")] * 2


def test_an_order_cannot_bring_a_fact_of_an_object(host, relay):
    relay.status = "ok"
    condition = language.parse("workload_status == crash_loop")
    brought = {"workload_status": "crash_loop"}
    assert not conditions.judge(condition, bound(host), brought, host).holds


def test_a_step_looks_acts_on_what_it_saw_and_puts_it_back(host, relay):
    kind, scale = steps.KINDS["kubectl_scale"], action("kubectl_scale", replicas=5)
    recorded = kind.prepare(scale, context(host))
    done = kind.run(scale, context(host), recorded)
    back = kind.restore(scale, context(host), recorded)
    assert (done.status, back.status) == (order.StepStatus.SUCCESS, order.StepStatus.SUCCESS)
    assert relay.did == [
        ("kubectl_scale", "", {"replicas": 5}, {"saw": WEB}),
        ("restore", {"saw": WEB}),
    ]
    assert kind.plan(scale, bound(host)) == ("kubectl_scale", WEB, "replicas=5")


def test_what_cannot_be_taken_back_says_so(host, relay):
    delete = action("kubectl_delete", status="crash_loop", at_most=1)
    kind = steps.KINDS["kubectl_delete"]
    assert kind.restore(delete, context(host), {}).status is order.StepStatus.NOT_UNDOABLE
    assert relay.did == []


WRONG = [
    action("kubectl_cordon"),  # nothing that is done to a deployment
    action("kubectl_delete"),  # without its bounds
    action("kubectl_delete", status="crash_loop", at_most=1, replicas=3),
    action("aws_cli", call="reboot_instance"),
    playbook.Action("kubectl_scale", {"object": WEB, "replicas": 5}),  # written out, not asked for
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_an_act_beside_the_closed_list_is_not_possible(host, relay, wrong):
    with pytest.raises(work.NotPossible):
        steps.KINDS[wrong.kind].prepare(wrong, context(host))
    with pytest.raises(work.NotPossible):
        steps.KINDS[wrong.kind].run(wrong, context(host), {})
    assert relay.did == []


def test_a_refusal_of_the_target_changes_nothing_and_needs_no_undo(host, relay):
    def refuse(*_):
        raise remote_objects.Changed("somebody else")

    relay.act = refuse
    scale = action("kubectl_scale", replicas=5)
    done = steps.KINDS["kubectl_scale"].run(scale, context(host), {})
    assert (done.status, done.changed) == (order.StepStatus.FAILED, False)


def test_every_act_has_a_kind_of_step_and_every_kind_an_act():
    for act in objects.ACTS:
        assert act.step in steps.KINDS
        assert act.of in objects.KINDS
    assert {act.of for act in objects.ACTS} == set(objects.KINDS)


@pytest.mark.parametrize(
    ("old", "percent", "most", "new"),
    [(4, 50, 20, 6), (1, 10, 5, 2), (19, 50, 20, 20), (20, 50, 20, None), (0, 50, 20, None)],
)
def test_a_raise_is_by_one_at_least_and_never_beyond_its_bound(old, percent, most, new):
    assert objects.raised(old, percent, most) == new


def test_a_fact_of_an_object_needs_an_object_to_be_measured_of(host):
    for name in ("node_status", "database_connections"):
        with pytest.raises(facts.UnknownFact, match="parameter of type"):
            conditions.fact(name, parameters.Bound({}), {}, host)


def test_a_host_without_databases_measures_nothing_of_them(host):
    with_service = parameters.Bound({"service": "db"}, {}, {"service": "db"})
    with pytest.raises(databases.NoDatabase, match=r"agent\.json"):
        conditions.fact("database_connections", with_service, {}, host)
