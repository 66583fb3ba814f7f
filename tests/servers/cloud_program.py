"""A program that stands in for `gcloud` or `az`: not the clouds, and not the programs themselves.

Started by a relay in their place, as a copy with its own first line (see `cloud_accounts`). It
takes the sub-commands that the vendors document for what we do, with all their flags and no other,
and the environment that says whose account it is; it prints what they document of the fields that
we read; it keeps the objects of one account in a file beside it. Standard library alone.

An object is `ill`, `at work` or `well`. The right act puts it to work, and it is well at the second
look after it, unless the account says that acts do not help.
"""

import json
import os
import pathlib
import sys

PLACE = pathlib.Path(__file__).parent
STATE = PLACE / "account"
GCLOUD = {
    ("compute", "instances"): ("gce_instance", "reset", ["--zone"]),
    ("compute", "instance-groups", "managed"): ("gce_group", "resize", ["--zone"]),
    ("sql", "instances"): ("gcp_sql", "restart", []),
}
AZ = {
    ("vm",): ("azure_vm", "restart", ["get-instance-view"]),
    ("webapp",): ("azure_webapp", "restart", ["show"]),
    ("vmss",): ("azure_scale_set", "scale", ["show", "get-instance-view"]),
}
SIZES = {"resize": "--size", "scale": "--new-capacity"}


class Wrong(Exception):
    """It was not called as the vendor documents."""


def gcloud(words, flags, account):
    """Return the object that is meant and the verb."""
    for group, (kind, act, wanted) in GCLOUD.items():
        if tuple(words[: len(group)]) != group:
            continue
        verb, *named = words[len(group) :]
        size = [SIZES[verb]] if verb in SIZES else []
        if verb not in {"describe", act} or len(named) != 1:
            raise Wrong(f"no {' '.join(words)}")
        expect(flags, [*wanted, *size, "--project", "--format"])
        if flags["--project"] != account["project"] or flags["--format"] != "json":
            raise Wrong("another project or format")
        zone = [flags["--zone"]] if wanted else []
        return "/".join((kind, *zone, *named)), verb
    raise Wrong(f"no {' '.join(words)}")


def az(words, flags, account):
    """Return the object that is meant and the verb."""
    if len(words) != 2 or tuple(words[:1]) not in AZ:
        raise Wrong(f"no {' '.join(words)}")
    kind, act, looks = AZ[tuple(words[:1])]
    verb = words[1]
    if verb not in {act, *looks}:
        raise Wrong(f"no {' '.join(words)}")
    size = [SIZES[verb]] if verb in SIZES else []
    expect(flags, ["--resource-group", "--name", *size, "--subscription", "--output"])
    if flags["--subscription"] != account["project"] or flags["--output"] != "json":
        raise Wrong("another subscription or format")
    return f"{kind}/{flags['--resource-group']}/{flags['--name']}", verb


def expect(flags, wanted):
    if sorted(flags) != sorted(wanted):
        raise Wrong(f"expected {sorted(wanted)}, got {sorted(flags)}")


def environment(account):
    known = os.environ
    if account["program"] == "gcloud":
        wanted = {
            "CLOUDSDK_CONFIG": account["directory"],
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        }
    else:
        wanted = {"AZURE_CONFIG_DIR": account["directory"], "AZURE_CORE_NO_COLOR": "1"}
    if wrong := {name for name, value in wanted.items() if known.get(name) != value}:
        raise Wrong(f"environment: {sorted(wrong)}")


def shown(kind, verb, one):
    """Return what the vendor prints of an object in its condition."""
    if kind == "azure_scale_set":
        kind = f"{kind} {verb}"
    return SHOWN[kind](one["id"], one["condition"], one["capacity"])


def instance(own_id, condition, _):
    words = {"ill": "REPAIRING", "at work": "STAGING", "well": "RUNNING"}
    return {"id": own_id, "status": words[condition]}


def group(own_id, condition, capacity):
    creating = LOST if condition == "at work" else 0
    actions = {"none": healthy(condition, capacity), "creating": creating, "deleting": 0}
    return {"id": own_id, "targetSize": capacity, "currentActions": actions}


def database(own_id, condition, _):
    words = {"ill": "FAILED", "at work": "MAINTENANCE", "well": "RUNNABLE"}
    return {
        "connectionName": own_id,
        "createTime": "2026-01-01T00:00:00Z",
        "settings": {"activationPolicy": "ALWAYS"},
        "state": words[condition],
    }


def machine(own_id, condition, _):
    power = "PowerState/starting" if condition == "at work" else "PowerState/running"
    agent = "Ready" if condition == "well" else "Not Ready"
    statuses = [{"code": "ProvisioningState/succeeded"}, {"code": power}]
    view = {"statuses": statuses, "vmAgent": {"statuses": [{"displayStatus": agent}]}}
    return {"vmId": own_id, "instanceView": view}


def app(own_id, condition, _):
    said = "Normal" if condition == "well" else "Limited"
    return {"id": own_id, "state": "Running", "availabilityState": said}


def scale_set(own_id, condition, capacity):
    state = "Updating" if condition == "at work" else "Succeeded"
    return {"uniqueId": own_id, "provisioningState": state, "sku": {"capacity": capacity}}


def scale_set_view(_, condition, capacity):
    running = {"code": "ProvisioningState/succeeded", "count": healthy(condition, capacity)}
    return {"virtualMachine": {"statusesSummary": [running]}}


def healthy(condition, capacity):
    return capacity if condition == "well" else capacity - LOST


LOST = 2  # instances of a group that is not well
SHOWN = {
    "gce_instance": instance,
    "gce_group": group,
    "gcp_sql": database,
    "azure_vm": machine,
    "azure_webapp": app,
    "azure_scale_set show": scale_set,
    "azure_scale_set get-instance-view": scale_set_view,
}


def answer(account, argv):
    """Do what is asked and return what to print. Raises Wrong; SystemExit as the programs end."""
    environment(account)
    words = [one for one in argv if not one.startswith("--")]
    flags = dict(one.partition("=")[::2] for one in argv if one.startswith("--"))
    name, verb = {"gcloud": gcloud, "az": az}[account["program"]](words, flags, account)
    one = account["objects"].get(name)
    if one is None:
        sys.exit("ERROR: (gcloud) (ResourceNotFound) The resource was not found")
    if verb in {"describe", "show", "get-instance-view"}:
        if account["acts"] and account["mode"] == "is gone after it":
            sys.exit("ERROR: the connection to the vendor was lost")
        kind = name.partition("/")[0]
        found = shown(kind, verb, one)
        first_half = (kind, verb) == ("azure_scale_set", "show")  # its second call is the look
        if one["condition"] == "at work" and not first_half:
            one["condition"] = "well"
        return found
    if account["mode"] == "fails before it":
        sys.exit("ERROR: it was not done")
    account["acts"].append([verb, name])
    if verb in SIZES:
        one["capacity"] = int(flags[SIZES[verb]])
    if account["mode"] != "does not help":
        one["condition"] = "at work"
    if account["mode"] == "fails after it":
        keep(account)
        sys.exit("ERROR: the connection to the vendor was lost")
    return {}


def keep(account):
    STATE.write_text(json.dumps(account))


def main():
    account = json.loads(STATE.read_text())
    try:
        found = answer(account, sys.argv[1:])
    except (Wrong, ValueError) as error:
        account["wrong"].append(f"{sys.argv[1:]}: {error}")
        keep(account)
        sys.exit(2)
    keep(account)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
