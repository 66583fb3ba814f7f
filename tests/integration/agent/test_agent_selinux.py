"""The policy for SELinux compiles, and lets the collector listen nowhere. It is not loaded here."""

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
POLICY = PLACE / "sentienguard_collector.te"


def compiled(source, tmp_path):
    file = tmp_path / source.name
    shutil.copy(source, file)
    module = tmp_path / "sentienguard_collector.mod"
    return subprocess.run(
        ["checkmodule", "-M", "-m", "-o", module, file], capture_output=True, text=True, check=False
    )


def allowed():
    """Yield the rules: who, to what, of which class, which permissions."""
    text = re.sub(r"#.*", "", POLICY.read_text())
    for rule in re.findall(r"allow\s+([^;]+);", text):
        who, target, kind, permissions = re.fullmatch(
            r"(\S+)\s+(\{[^}]*\}|\S+):(\S+)\s+(\{[^}]*\}|\S+)", " ".join(rule.split())
        ).groups()
        yield who, target.strip("{ }").split(), kind, permissions.strip("{ }").split()


def test_it_compiles_and_is_packed_with_its_file_contexts(tmp_path):
    said = compiled(POLICY, tmp_path)
    assert said.returncode == 0, said.stderr
    packed = tmp_path / "made.pp"
    contexts = PLACE / "sentienguard_collector.fc"
    argv = [
        "semodule_package",
        "-o",
        packed,
        "-m",
        tmp_path / "sentienguard_collector.mod",
        "-f",
        contexts,
    ]
    subprocess.run(argv, check=True)
    assert packed.stat().st_size > 1000


def test_the_compiler_notices_a_rule_about_what_nobody_declared(tmp_path):
    broken = tmp_path / "broken" / POLICY.name
    broken.parent.mkdir()
    broken.write_text(POLICY.read_text() + "allow sentienguard_collector_t shadow_t:file read;\n")
    assert compiled(broken, tmp_path).returncode != 0


def test_the_collector_listens_nowhere_and_writes_its_own_directory_only():
    rules = list(allowed())
    assert len(rules) > 20
    ours = [rule for rule in rules if rule[0] == "sentienguard_collector_t"]
    for _, _, kind, permissions in ours:
        if kind in {"tcp_socket", "udp_socket", "unix_stream_socket"}:
            assert not {"bind", "name_bind", "listen", "accept", "node_bind"} & set(permissions)
    writing = {"write", "create", "append", "unlink", "rename", "setattr", "add_name"}
    for _, targets, kind, permissions in ours:
        if kind in {"file", "dir"} and writing & set(permissions):
            assert targets == ["sentienguard_collector_lib_t"]
    assert {kind for _, _, kind, _ in ours}.isdisjoint({"capability", "capability2", "bpf"})


def test_every_path_of_the_contexts_is_one_that_the_unit_names():
    unit = (PLACE.parent / "systemd/sentienguard-collector.service").read_text()
    lines = (PLACE / "sentienguard_collector.fc").read_text().splitlines()
    for line in lines:
        path, context = line.split("\t")
        assert path.removesuffix("(/.*)?").rpartition("/")[0] in unit
        assert f"type {context.split(':')[2]}, file_type;" in POLICY.read_text()
