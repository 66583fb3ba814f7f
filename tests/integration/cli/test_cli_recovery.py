"""`recover-control-plane begin` on the files of a control plane that does not run."""

import json
from datetime import UTC, datetime

import pytest

from sentienguard.cli import main, trust_files
from sentienguard.controlplane import app, evaluation, trust_exchange
from sentienguard.controlplane import settings as settings_module
from sentienguard.stages.audit import checkpoint

pytestmark = pytest.mark.integration
ENTRIES = 6


@pytest.fixture
def data(tmp_path):
    place = tmp_path / "data"
    evaluation.prepare(place / "controlplane", place / "offline", {}, now=datetime.now(UTC))
    chosen = settings_module.Settings(embeddings="off")
    with app.centre_in(place / "controlplane", chosen, "https://127.0.0.1:1") as centre:
        while centre.log.size() < ENTRIES:
            centre.audit.append(kind="log.started", env="", data={"version": "1"})
    return place


def begin(capsys, data, *more):
    """Run it; return its status and what it said."""
    capsys.readouterr()
    out = data.parent / "trust.json"
    words = ("recover-control-plane", "begin", "--out", str(out), "--data", str(data), *more)
    status = main.main([*words, "--json"])
    said = capsys.readouterr()
    return (0, json.loads(said.out)) if status == 0 else (status, said.err)


@pytest.mark.parametrize(("asked", "end"), [(None, ENTRIES), (4, 4), (10_000, ENTRIES)])
def test_the_draft_ends_the_old_keys_and_names_the_new_ones(data, capsys, asked, end):
    old = trust_exchange.standing_root(data / "controlplane")
    more = () if asked is None else ("--good-size", str(asked))
    status, told = begin(capsys, data, *more)
    assert (status, told["entries"], told["log_key_ends_at"]) == (0, ENTRIES, end)
    assert [path.rpartition("/")[2] for path in told["offline_keys_here"]]
    drafted = trust_files.read(data.parent / "trust.json").last
    assert drafted.version == 2
    assert set(drafted.roles["dispatch"].keyids).isdisjoint(old.roles["dispatch"].keyids)
    assert drafted.log_ends == {old.log_keys[0].key.id: end}
    assert len(drafted.log_keys) == len(drafted.server_pins) == 2
    assert begin(capsys, data, *more)[1]["root_version"] == 2  # begun again: another draft of it


def test_keys_that_waited_when_the_intruder_came_are_not_used(data, capsys):
    centre = data / "controlplane"
    waiting = {
        trust_exchange.make_next_dispatch_key(centre).id,
        trust_exchange.make_next_log_key(centre).id,
    }
    pin = trust_exchange.make_next_server_key(centre)[1]
    assert begin(capsys, data)[0] == 0
    drafted = trust_files.read(data.parent / "trust.json").last
    assert waiting.isdisjoint(drafted.keys)
    assert pin not in drafted.server_pins


def test_a_log_that_was_changed_is_told_and_nothing_is_drafted(data, capsys, tmp_path):
    kept = tmp_path / "checkpoint"
    audit = data / "controlplane/audit"
    note = (audit / "checkpoint").read_text()
    origin = checkpoint.read_text(checkpoint.read_note(note).text).origin
    kept.write_text(note.replace(f"{origin}\n{ENTRIES}\n", f"{origin}\n{ENTRIES - 1}\n"))
    status, said = begin(capsys, data, "--against", str(kept))
    assert status != 0
    assert "the log is not sound: growth" in said
    [segment] = (audit / "segments").glob("*.seg")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    status, said = begin(capsys, data)
    assert status != 0
    assert "the log is not sound: records" in said
    assert not (tmp_path / "trust.json").exists()


def test_a_place_without_a_control_plane_or_without_the_log_says_what_to_do(data, capsys, tmp_path):
    status, said = begin(capsys, tmp_path / "nowhere")
    assert status != 0
    assert "no control plane has been set up here" in said
    (data / "controlplane/audit/log.vkey").unlink()
    status, said = begin(capsys, data)
    assert status != 0
    assert "--export-audit" in said
