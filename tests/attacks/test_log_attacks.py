"""Every attack on the log, at every size, before every design; and the page that says so."""

import shutil
import subprocess
import sys

import pytest

from sentienguard.trust.keys import SigningKey
from tests.attacks import log_history, log_product, log_table
from tests.attacks.log_attacks import ATTACKS
from tests.support import effort

WHOLE = (8, 100, 1_000)  # sizes at which the short form runs every attack
SAMPLE = {  # and of the bigger ones these; the long form runs all
    5_000: {
        "an entry edited, everything recomputed",
        "put back to an older copy",
        "a host's report left out",
        "a host's report changed before it is logged",
    },
    23_445: {"an entry edited, everything recomputed"},
}
CASES = [
    (attack, size)
    for size in log_table.SIZES
    for attack in ATTACKS
    if size in WHOLE or effort.THOROUGH or attack.name in SAMPLE[size]
]
CHECKS = {
    "records", "canonical", "checkpoint", "root", "sources", "signatures", "clock", "growth",
    "witnesses",
}  # fmt: skip


def _broken(found):
    """Return the checks that fail; without a believable checkpoint `root` has nothing to judge."""
    return set(found) - ({"root"} if "checkpoint" in found else set())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", log_table.SIZES)
def test_nobody_cries_wolf_over_an_untouched_log(size):
    found = log_table.judged(None, size)
    assert found == log_table.Judged((False,) * 4, {}, {}, {})


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("attack", "size"), CASES, ids=lambda one: getattr(one, "name", one))
def test_three_verifiers_find_the_attack_and_agree_on_what_it_breaks(attack, size):
    found = log_table.judged(attack, size)
    assert attack.shown_by in found.standalone
    assert set(found.standalone) <= CHECKS
    assert _broken(found.standalone) == _broken(found.product) == _broken(found.second)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("attack", "size"), CASES, ids=lambda one: getattr(one, "name", one))
def test_what_a_design_misses_does_not_depend_on_the_size(attack, size):
    assert log_table.judged(attack, size).models == log_table.judged(attack, log_table.SHOWN).models


@pytest.mark.timeout(600)
def test_the_page_shows_what_the_run_gives():
    page = log_table.PAGE.read_text("utf-8")
    again = "the page and the run differ: .venv/bin/python -m tests.attacks.log_table"
    assert log_table.written(page) == page, again


# --- what the verdicts rest on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name)
def test_an_attack_changes_what_is_stored(attack):
    whole = log_table.product(100)
    struck = whole.copy()
    attack.strike(struck)
    assert (struck.records, struck.head) != (whole.records, whole.head)


def test_the_security_document_counts_as_the_page_does():
    words = " ".join((log_table.PAGE.parents[2] / "SECURITY.md").read_text("utf-8").split())
    models = [
        sum(log_table.judged(attack, log_table.SHOWN).models[at] for attack in ATTACKS)
        for at in range(4)
    ]
    assert f"does {len(ATTACKS)} attacks to logs of five sizes" in words
    assert f"a plain hash chain finds {models[0]} of them" in words
    assert f"a chain of signed records {models[1]}, a tree with its head beside it" in words
    assert f"beside it {models[2]}, a tree with a head kept elsewhere {models[3]}" in words
    assert f"this log {len(ATTACKS)}." in words


@pytest.mark.parametrize("held", [True, False], ids=["keys held", "keys as enrolled"])
def test_a_forged_report_is_found_by_the_hosts_key_wherever_it_is_from(held):
    struck = log_table.product(100).copy()
    next(one for one in ATTACKS if one.name.endswith("before it is logged")).strike(struck)
    keys = log_product.WITNESSES if held else None
    results, _ = log_product.STANDALONE.verify(struck.written(), agent_keys=keys)
    assert "did not sign this" in results.findings["signatures"][0]


def test_a_host_enrolled_again_with_another_key_is_found_without_holding_keys():
    struck = log_table.product(100).copy()
    again = log_history.Event(
        "cp", "enrolled/again", log_history.event(100).at, "agent.enrolled", host="agent:host0"
    )
    keys = dict(log_history.HOSTS)
    log_history.HOSTS["agent:host0"] = SigningKey.from_seed(b"2" * 32)
    try:
        struck.insert(100, again)
    finally:
        log_history.HOSTS.update(keys)
    struck.publish()
    results, _ = log_product.STANDALONE.verify(struck.written())
    assert "enrols agent:host0 with a key that is not its own" in results.findings["signatures"][0]


def test_openssls_command_and_library_give_the_same_answers(monkeypatch):
    tool, key = log_product.STANDALONE, SigningKey.from_seed(b"k" * 32)
    message, signature = b'{"v":1}', key.sign(b'{"v":1}')
    bent = bytes([signature[0] ^ 1]) + signature[1:]
    cases = [
        (message, signature), (message, bent), (message + b" ", signature), (b"", signature),
        (message, signature[:-1]), (message, b""), (message, signature + b"\0"),
    ]  # fmt: skip
    assert tool.libcrypto() is not None
    library = [tool.verified(key.public.raw, *case) for case in cases]
    monkeypatch.setattr(tool, "libcrypto", lambda: None)
    assert library == [tool.verified(key.public.raw, *case) for case in cases]
    assert library == [True] + [False] * 6


@pytest.mark.parametrize("python", [sys.executable, "/usr/bin/python3"])
def test_the_verifier_runs_where_nothing_of_ours_is_installed(python, tmp_path):
    if shutil.which(python) is None:
        pytest.skip(f"{python} is not on this machine")
    struck = log_table.product(100).copy()
    next(one for one in ATTACKS if one.name == "a host's newest report left out").strike(struck)
    keys, held = tmp_path / "vkeys", tmp_path / "held"
    keys.write_text("\n".join(log_product.WITNESSES) + "\n")
    held.write_text(struck.held)
    said = [f"--said={source}={count}" for source, count in struck.said.items()]
    argv = [
        python, "-I", "-S", log_product.TOOL, struck.written(), "--witness", keys, "--agents",
        keys, "--against", held, "--quorum", "2",
    ]  # fmt: skip
    sound = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert "3 witnesses cosigned 99 entries" in sound.stdout
    told = subprocess.run([*argv, *said], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "[FAIL] sources: agent:host0 sent 9 entries, 8 are here: left out" in told.stdout
