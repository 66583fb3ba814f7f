"""What an owner may declare under `relays`: whole, closed, and nothing by accident."""

import json

import pytest

from sentienguard.agent import relay_settings

CLUSTER = {
    "kind": "kubernetes",
    "server": "https://10.0.0.5:6443",
    "ca_file": "/etc/ca.pem",
    "token_file": "/etc/token",
    "namespaces": ["prod"],
}
AWS = {"kind": "aws", "region": "eu-central-1", "objects": ["rds_database/*"]}
SSH = {
    "kind": "ssh",
    "host": "10.0.0.9",
    "user": "relay",
    "key_file": "/etc/key",
    "known_hosts_file": "/etc/known",
    "units": ["app.service"],
}
GCP = {
    "kind": "gcp",
    "program": "/usr/bin/gcloud",
    "project": "shop-1",
    "config_directory": "/etc/gcloud",
    "objects": ["gce_instance/*"],
}
AZURE = {
    "kind": "azure",
    "program": "/usr/bin/az",
    "subscription": "s-1",
    "config_directory": "/etc/azure",
    "objects": ["azure_vm/shop/*"],
}
EVERY = {"shop": CLUSTER, "aws-eu": AWS, "edge-1": SSH, "gcp-eu": GCP, "azure-eu": AZURE}


def read(value):
    return relay_settings.read(value, lambda key, expected, _: ValueError(f"{key}: {expected}"))


def without(known, name):
    return {key: value for key, value in known.items() if key != name}


def test_what_is_written_is_read_again():
    found = read(EVERY)
    assert read(json.loads(json.dumps(relay_settings.render(found)))) == found
    assert found["shop"].namespaces == ("prod",)
    assert found["shop"].nodes is False


WRONG = [
    ({"Shop": CLUSTER}, "relays"),
    ({"a/b": CLUSTER}, "relays"),
    ({"shop": {**CLUSTER, "kind": "nomad"}}, "kind"),
    ({"shop": {**CLUSTER, "kind": ["kubernetes"]}}, "kind"),
    ({"shop": without(CLUSTER, "kind")}, "kind"),
    ({"shop": {**CLUSTER, "namespace": "prod"}}, "namespace"),
    ({"shop": {**CLUSTER, "server": "http://10.0.0.5:6443"}}, "server"),
    ({"shop": {**CLUSTER, "server": "https://user@10.0.0.5"}}, "server"),
    ({"shop": {**CLUSTER, "server": "https://10.0.0.5:0x1"}}, "server"),
    ({"shop": {**CLUSTER, "ca_file": "ca.pem"}}, "ca_file"),
    ({"shop": without(CLUSTER, "ca_file")}, "ca_file"),
    ({"shop": without(CLUSTER, "token_file")}, "relays.shop"),
    ({"shop": {**CLUSTER, "certificate_file": "/etc/c", "key_file": "/etc/k"}}, "relays.shop"),
    ({"shop": {**CLUSTER, "namespaces": []}}, "namespaces"),
    ({"shop": {**CLUSTER, "namespaces": ["*"]}}, "namespaces"),
    ({"shop": {**CLUSTER, "namespaces": "prod"}}, "namespaces"),
    ({"shop": {**CLUSTER, "nodes": "yes"}}, "nodes"),
    ({"aws-eu": {**AWS, "region": "eu"}}, "region"),
    ({"aws-eu": {**AWS, "objects": ["*"]}}, "objects"),
    ({"aws-eu": {**AWS, "endpoint": "http://aws.example.org"}}, "endpoint"),
    ({"aws-eu": {**AWS, "profile": None}}, "profile"),
    ({"edge-1": {**SSH, "host": "-oProxyCommand=x"}}, "host"),
    ({"edge-1": {**SSH, "user": "-l"}}, "user"),
    ({"edge-1": {**SSH, "units": ["app"]}}, "units"),
    ({"edge-1": {**SSH, "port": 0}}, "port"),
    ({"edge-1": {**SSH, "port": True}}, "port"),
    ({"gcp-eu": {**GCP, "program": "gcloud"}}, "program"),
    ({"azure-eu": {**AZURE, "subscription": "--help"}}, "subscription"),
    ({f"t{number}": CLUSTER for number in range(17)}, "relays"),
    ([CLUSTER], "relays"),
]


@pytest.mark.parametrize(("value", "key"), WRONG)
def test_a_wrong_declaration_names_its_key(value, key):
    with pytest.raises(ValueError, match=key):
        read(value)
