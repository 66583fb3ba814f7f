"""The policies for SELinux compile and give no more than they say. They are not loaded here."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not shutil.which("checkmodule") or not shutil.which("semodule_package"),
        reason="needs checkpolicy and semodule-utils",
    ),
]
PLACE = Path(__file__).parents[3] / "packaging/selinux"
PROCESSES = ("collector", "executor")
OUTSIDE = re.compile(
    r"(tcp|udp|rawip|netlink_\w+|packet|key|sctp|dccp|tun|vsock|icmp)_?socket|netif|node"
)
WRITES = {"write", "create", "append", "unlink", "rename", "setattr", "add_name", "remove_name"}
LISTENS = {"bind", "name_bind", "node_bind", "listen", "accept"}


def policy(process):
    return PLACE / f"sentienguard_{process}.te"


def compiled(source, tmp_path):
    file = tmp_path / source.name
    shutil.copy(source, file)
    module = tmp_path / f"{source.stem}.mod"
    return subprocess.run(
        ["checkmodule", "-M", "-m", "-o", module, file], capture_output=True, text=True, check=False
    )


def switched(text):
    """Return what always holds, and what each switch adds."""
    blocks = dict(re.findall(r"if \((\w+)\) \{\n(.*?)\n\}\n", text, re.DOTALL))
    return re.sub(r"if \(\w+\) \{\n.*?\n\}\n", "", text, flags=re.DOTALL), blocks


def allowed(text):
    """Yield the rules: to what, of which class, which permissions."""
    for rule in re.findall(r"allow\s+([^;]+);", re.sub(r"#.*", "", text)):
        who, target, kind, permissions = re.fullmatch(
            r"(\S+)\s+(\{[^}]*\}|\S+):(\S+)\s+(\{[^}]*\}|\S+)", " ".join(rule.split())
        ).groups()
        if who.startswith("sentienguard_"):
            yield target.strip("{ }").split(), kind, set(permissions.strip("{ }").split())


@pytest.mark.parametrize("process", PROCESSES)
def test_it_compiles_and_is_packed_with_its_file_contexts(process, tmp_path):
    said = compiled(policy(process), tmp_path)
    assert said.returncode == 0, said.stderr
    packed = tmp_path / "made.pp"
    argv = ["semodule_package", "-o", packed, "-m", tmp_path / f"sentienguard_{process}.mod",
            "-f", PLACE / f"sentienguard_{process}.fc"]  # fmt: skip
    subprocess.run(argv, check=True)
    assert packed.stat().st_size > 1000


@pytest.mark.parametrize("process", PROCESSES)
def test_the_compiler_notices_a_rule_about_what_nobody_declared(process, tmp_path):
    broken = tmp_path / "broken" / policy(process).name
    broken.parent.mkdir()
    rule = f"allow sentienguard_{process}_t shadow_t:file read;\n"
    broken.write_text(policy(process).read_text() + rule)
    assert compiled(broken, tmp_path).returncode != 0


def test_the_collector_listens_nowhere_and_writes_its_own_directory_only():
    rules = list(allowed(policy("collector").read_text()))
    assert len(rules) > 20
    for targets, kind, permissions in rules:
        if kind.endswith("_socket") and not kind.startswith("netlink"):
            assert not LISTENS & permissions
        if kind in {"file", "dir"} and WRITES & permissions:
            assert targets == ["sentienguard_collector_lib_t"]
    assert {kind for _, kind, _ in rules}.isdisjoint({"capability", "capability2", "bpf"})


def test_the_executor_has_no_network_but_its_unix_socket():
    always, _ = switched(policy("executor").read_text())
    rules = list(allowed(always))
    assert len(rules) > 20
    assert [rule for rule in rules if OUTSIDE.fullmatch(rule[1])] == []
    listening = [(targets, kind) for targets, kind, said in rules if LISTENS & said]
    assert listening == [(["self"], "unix_stream_socket")]


def test_what_the_executor_gets_with_a_switch_is_off_and_is_what_it_says():
    text = policy("executor").read_text()
    _, blocks = switched(text)
    assert re.findall(r"^bool (\w+) (\w+);", text, re.MULTILINE) == [
        ("sentienguard_executor_checks_health", "false"),
        ("sentienguard_executor_changes_settings", "false"),
    ]
    health = list(allowed(blocks.pop("sentienguard_executor_checks_health")))
    assert {kind for _, kind, _ in health} == {"tcp_socket"}
    assert not any(LISTENS & said for _, _, said in health)
    changes = list(allowed(blocks.pop("sentienguard_executor_changes_settings")))
    assert all(targets == ["etc_t"] for targets, _, _ in changes)
    assert blocks == {}


def test_the_executor_writes_what_remedies_free_and_has_the_capabilities_of_its_unit():
    always, _ = switched(policy("executor").read_text())
    written, capabilities = set(), set()
    for targets, kind, permissions in allowed(always):
        if kind in {"file", "dir"} and WRITES & permissions:
            written.update(targets)
        if kind.startswith("capability"):
            capabilities |= permissions
    own = {"sentienguard_executor_lib_t", "sentienguard_run_t"}
    assert written == own | {"var_log_t", "var_t", "tmp_t"}
    unit = (PLACE.parent / "systemd/sentienguard-executor.service").read_text()
    [bounds] = re.findall(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)
    assert capabilities == {one.removeprefix("CAP_").lower() for one in bounds.split()}


@pytest.mark.parametrize("process", PROCESSES)
def test_every_path_of_the_contexts_is_one_that_the_unit_names(process):
    unit = (PLACE.parent / f"systemd/sentienguard-{process}.service").read_text()
    for line in (PLACE / f"sentienguard_{process}.fc").read_text().splitlines():
        path, context = line.split("\t")
        assert path.removesuffix("(/.*)?").rpartition("/")[0] in unit
        assert f"type {context.split(':')[2]}, file_type;" in policy(process).read_text()
