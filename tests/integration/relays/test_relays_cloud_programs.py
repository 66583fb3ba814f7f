"""gcloud and az, as far as we call them: argv, environment and what their answers mean.

A program of the tests stands in for both: it writes down what it was started with and prints what
the vendors document. It shows that we call them as we mean to, and not that the clouds obey.
"""

import contextlib
import json
import sys

import pytest

from sentienguard.adapters.local_host import command_runner
from sentienguard.adapters.remote_programs import azure, gcloud, programs, target
from sentienguard.playbook import objects
from sentienguard.ports import remote_objects

EFFORT = remote_objects.Effort(20.0, "order:step0", programs.Never())
STAND_IN = """#!{python}
import json, os, pathlib, sys
place = pathlib.Path(__file__).parent
with (place / "asked").open("a") as asked:
    asked.write(json.dumps([sys.argv[1:], dict(os.environ)]) + "\\n")
answers = json.loads((place / "answers").read_text())
for words, printed in answers:
    if words in " ".join(sys.argv[1:]):
        if isinstance(printed, str):
            sys.exit(printed)
        print(json.dumps(printed))
        sys.exit(0)
sys.exit("no answer is prepared")
"""

VM = "gcp/gce_instance/europe-west3-a/web-1"
GROUP = "gcp/gce_group/europe-west3-a/web"
SQL = "gcp/gcp_sql/orders"
MACHINE = "azure/azure_vm/shop/web-1"
APP = "azure/azure_webapp/shop/web"
SCALE_SET = "azure/azure_scale_set/shop/web"


@pytest.fixture
def stand_in(tmp_path):
    program = tmp_path / "program"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    return program


def prepare(program, *answers):
    (program.parent / "answers").write_text(json.dumps(answers))


def asked_of(program):
    return [json.loads(line) for line in (program.parent / "asked").read_text().splitlines()]


def cloud(name, program):
    made = {"gcp": gcloud.Gcloud, "azure": azure.Azure}[name.partition("/")[0]]
    directory = str(program.parent / "config")
    return target.Target(
        made(str(program), "shop-1", directory, command_runner.LocalCommands()), ("*/*",)
    )


def machine(power, agent="Ready"):
    statuses = [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{power}"}]
    return {
        "vmId": "v1",
        "instanceView": {
            "statuses": statuses,
            "vmAgent": {"statuses": [{"displayStatus": agent}]},
        },
    }


def group(size, **actions):
    return {"id": "7", "targetSize": size, "currentActions": actions}


def scale_set(state="Succeeded", capacity=4):
    return {"uniqueId": "u", "provisioningState": state, "sku": {"capacity": capacity}}


def view(**counts):
    summary = [
        {"code": f"ProvisioningState/{state}", "count": count} for state, count in counts.items()
    ]
    return {"virtualMachine": {"statusesSummary": summary}}


READ = [
    (VM, [("describe", {"id": "1", "status": "RUNNING"})], "ok"),
    (VM, [("describe", {"id": "1", "status": "REPAIRING"})], "impaired"),
    (VM, [("describe", {"id": "1", "status": "TERMINATED"})], "stopped"),
    (VM, [("describe", {"id": "1", "status": "STAGING"})], "updating"),
    (VM, [("describe", {"id": "1", "status": "SOMETHING_NEW"})], "failed"),
    (VM, [("describe", "ERROR: (gcloud) The resource 'web-1' was not found")], "missing"),
    (GROUP, [("describe", group(4, none=4))], "ok"),
    (GROUP, [("describe", group(4, none=2))], "degraded"),
    (GROUP, [("describe", group(4, none=2, creating=2))], "updating"),
    (SQL, [("describe", {"state": "RUNNABLE"})], "ok"),
    (SQL, [("describe", {"state": "FAILED"})], "impaired"),
    (SQL, [("describe", {"state": "MAINTENANCE"})], "updating"),
    (
        SQL,
        [("describe", {"state": "RUNNABLE", "settings": {"activationPolicy": "NEVER"}})],
        "stopped",
    ),
    (MACHINE, [("vm get-instance-view", machine("running"))], "ok"),
    (MACHINE, [("vm get-instance-view", machine("running", "Not Ready"))], "impaired"),
    (MACHINE, [("vm get-instance-view", machine("deallocated"))], "stopped"),
    (MACHINE, [("vm get-instance-view", "(ResourceNotFound) nothing")], "missing"),
    (APP, [("webapp show", {"state": "Running", "availabilityState": "Normal"})], "ok"),
    (APP, [("webapp show", {"state": "Running", "availabilityState": "Limited"})], "degraded"),
    (APP, [("webapp show", {"state": "Stopped", "availabilityState": "Normal"})], "stopped"),
    (SCALE_SET, [("vmss show", scale_set()), ("vmss get", view(succeeded=4))], "ok"),
    (SCALE_SET, [("vmss show", scale_set()), ("vmss get", view(succeeded=2))], "degraded"),
    (
        SCALE_SET,
        [("vmss show", scale_set()), ("vmss get", view(succeeded=2, creating=2))],
        "updating",
    ),
]


@pytest.mark.parametrize(("name", "answers", "status"), READ)
def test_what_a_vendor_prints_is_one_of_our_words(stand_in, name, answers, status):
    prepare(stand_in, *answers)
    assert cloud(name, stand_in).measure(objects.read(name), "object_status") == status


GCP = ["--project=shop-1", "--format=json"]
AZ = ["--subscription=shop-1", "--output=json"]
ACTS = [
    (
        *(VM, "gcloud", "reset_instance", {}, [("describe", {"id": "1", "status": "REPAIRING"})]),
        ["compute", "instances", "reset", "web-1", "--zone=europe-west3-a", *GCP],
    ),
    (
        *(GROUP, "gcloud", "resize_group", {"by_percent": 50, "at_most": 20}),
        [("describe", group(4, none=2))],
        [
            *("compute", "instance-groups", "managed", "resize", "web", "--zone=europe-west3-a"),
            *("--size=6", *GCP),
        ],
    ),
    (
        *(SQL, "gcloud", "restart_sql", {}, [("describe", {"state": "FAILED"})]),
        ["sql", "instances", "restart", "orders", *GCP],
    ),
    (
        *(MACHINE, "az_cli", "restart_vm", {}),
        [("vm get-instance-view", machine("running", "Not Ready"))],
        ["vm", "restart", "--resource-group=shop", "--name=web-1", *AZ],
    ),
    (
        *(APP, "az_cli", "restart_webapp", {}),
        [("webapp show", {"state": "Running", "availabilityState": "Limited"})],
        ["webapp", "restart", "--resource-group=shop", "--name=web", *AZ],
    ),
    (
        *(SCALE_SET, "az_cli", "scale_set", {"by_percent": 50, "at_most": 20}),
        [("vmss show", scale_set()), ("vmss get", view(succeeded=2))],
        ["vmss", "scale", "--resource-group=shop", "--name=web", "--new-capacity=6", *AZ],
    ),
]


@pytest.mark.parametrize(("name", "step", "call", "arguments", "answers", "argv"), ACTS)
def test_an_act_is_one_command_line_of_the_closed_list(
    stand_in, *, name, step, call, arguments, answers, argv
):
    prepare(stand_in, *answers, (argv[-5] if len(argv) > 5 else argv[0], {}), ("", {}))
    made, asked = cloud(name, stand_in), remote_objects.Asked(name, step, call, arguments)
    seen = made.look(asked, EFFORT)
    made.rehearse(asked, EFFORT)
    before = len(asked_of(stand_in))
    assert made.act(asked, seen, EFFORT).changed
    *looked, (said, environment) = asked_of(stand_in)[before:]
    assert said == argv
    assert all("describe" in one or "show" in one or "get" in one[1] for one, _ in looked)
    home = "CLOUDSDK_CONFIG" if step == "gcloud" else "AZURE_CONFIG_DIR"
    assert environment[home] == str(stand_in.parent / "config")
    assert "HOME" not in environment


@pytest.mark.parametrize(("name", "step", "call", "arguments", "answers", "argv"), ACTS)
def test_what_changed_since_the_look_is_left_alone(
    stand_in, *, name, step, call, arguments, answers, argv
):
    prepare(stand_in, *answers)
    made, asked = cloud(name, stand_in), remote_objects.Asked(name, step, call, arguments)
    seen = made.look(asked, EFFORT)
    if arguments:  # somebody else set another number
        changed = [group(9, none=9)] if name == GROUP else [scale_set(capacity=9)]
        prepare(stand_in, *((words, changed[0]) for words, _ in answers[:1]), *answers[1:])
        with pytest.raises(remote_objects.Changed, match="somebody else"):
            made.act(asked, seen, EFFORT)
    else:  # it is well by itself
        well = next(a for n, a, status in READ if n == name and status == "ok")
        prepare(stand_in, *well)
        with contextlib.suppress(remote_objects.Changed):  # another id is as good a reason
            assert made.act(asked, seen, EFFORT).changed is False
    verbs = {"reset", "resize", "restart", "scale"}
    assert not any(verbs & set(said) for said, _ in asked_of(stand_in))


@pytest.mark.parametrize(("name", "step", "call", "arguments", "answers", "argv"), ACTS)
def test_an_act_that_ended_with_an_error_is_unknown_and_not_refused(
    stand_in, *, name, step, call, arguments, answers, argv
):
    prepare(stand_in, *answers, ("", "ERROR: the resource was not found, or something else"))
    made, asked = cloud(name, stand_in), remote_objects.Asked(name, step, call, arguments)
    seen = made.look(asked, EFFORT)
    with pytest.raises(remote_objects.Unreachable, match="whether it acted is not known"):
        made.act(asked, seen, EFFORT)
    assert argv in [said for said, _ in asked_of(stand_in)]


def test_a_bound_that_is_reached_is_refused_at_the_look(stand_in):
    prepare(stand_in, ("describe", group(20, none=10)))
    asked = remote_objects.Asked(GROUP, "gcloud", "resize_group", {"by_percent": 50, "at_most": 20})
    with pytest.raises(remote_objects.Refused, match="may not go beyond 20"):
        cloud(GROUP, stand_in).look(asked, EFFORT)


@pytest.mark.parametrize("printed", ["you are not logged in", ["a list"], 7])
def test_what_is_not_understood_is_an_error_and_no_status(stand_in, printed):
    prepare(stand_in, ("describe", printed))
    with pytest.raises((remote_objects.Refused, remote_objects.Unreachable)):
        cloud(VM, stand_in).measure(objects.read(VM), "object_status")


def test_a_program_that_is_not_there_is_refused(tmp_path):
    with pytest.raises((remote_objects.Refused, remote_objects.Unreachable)):
        cloud(VM, tmp_path / "nowhere").measure(objects.read(VM), "object_status")
