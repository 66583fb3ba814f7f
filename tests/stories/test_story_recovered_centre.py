"""The drill `recover-control-plane`: the machine was somebody else's, and an hour later it is ours.

As docs/how-to/recover-the-control-plane.md says. The intruder took every online key, a session and
the tokens that lay about; afterwards none of them is worth anything, the log is the same, and the
next fault is remedied.
"""

import json
import shutil
import time

import httpx
import pytest

from sentienguard.adapters.audit_files import reader
from sentienguard.cli import main
from sentienguard.stages.audit import checkpoint, verify
from sentienguard.trust import dsse, keys
from sentienguard.trust import root as roots
from tests.support import installation

pytestmark = [pytest.mark.stories, pytest.mark.timeout(300)]
AN_HOUR_S = 3600


@pytest.fixture
def whole(tmp_path):
    with installation.running(tmp_path) as found:
        yield found


def run(capsys, *words, status=0):
    """Run a command; return the JSON that it printed, or what it said against it."""
    capsys.readouterr()
    assert main.main([*words, "--json"]) == status
    said = capsys.readouterr()
    return json.loads(said.out) if status == 0 else said.err


def stolen(whole, name):
    return keys.SigningKey.from_pem((whole.places.centre / f"keys/{name}.pem").read_bytes())


def trusted_by_host(whole):
    """Return the root that the host's executor goes by."""
    kept = json.loads((whole.places.agent / "executor/trust/root.json").read_bytes())
    return roots.claimed(kept)


def test_a_control_plane_that_was_taken_over_is_ours_again(whole, capsys, tmp_path):
    data, file = str(whole.places.data), str(tmp_path / "trust.json")
    with whole.client() as asked:
        token = asked.post("/webhook-tokens", {"environment": "drill", "purpose": "grafana"})
        address = str(asked._http.base_url).rstrip("/")
        session = asked._http.headers["Authorization"]
    old = {name: stolen(whole, name) for name in ("dispatch", "log")}
    kept = tmp_path / "checkpoint"
    shutil.copy(whole.places.centre / "audit/checkpoint", kept)
    assert "down" in run(
        capsys, "recover-control-plane", "begin", "--out", file, "--data", data, status=1
    )

    began = time.monotonic()
    whole.kill("control plane")
    drafted = run(
        capsys, "recover-control-plane", "begin", "--out", file, "--against", str(kept),
        "--data", data,
    )  # fmt: skip
    assert drafted["root_version"] == 2
    assert drafted["offline_keys_here"]  # evaluation trust: the drill says that this is not safe
    root_key = str(whole.places.offline / "root.pem")
    run(capsys, "trust", "sign", file, "--yes", "--key", root_key)
    run(capsys, "trust", "import", file, "--data", data)
    whole.restart("control plane")
    whole.restart("collector", before=whole.kill("collector"))  # asks for its configuration at once
    installation.wait_for(lambda: trusted_by_host(whole).version == 2, "the host's new root", 90)
    installation.wait_for(lambda: root_versions(whole) == [2], "its word for it", 90)
    done = run(capsys, "recover-control-plane", "finish", "--data", data)
    assert time.monotonic() - began < AN_HOUR_S

    assert done["log"]["passed"]
    assert (len(done["hosts"]), done["hosts_behind"]) == (1, [])
    assert token["id"] in done["tokens_revoked"]
    assert done["logins_ended"] >= 1
    answer = httpx.get(f"{address}/hosts", headers={"Authorization": session}, timeout=30)
    assert answer.status_code == 401

    root = trusted_by_host(whole)
    with pytest.raises(dsse.NotTrusted):
        root.open(
            dsse.seal("application/example", b"{}", [old["dispatch"]]),
            "application/example",
            roots.RoleName.DISPATCH,
        )
    forged = checkpoint.Checkpoint(root.log_origin, drafted["entries"] + 1, bytes(32))
    with pytest.raises(dsse.NotTrusted, match="ended at size"):
        checkpoint.open_checkpoint(
            checkpoint.sign(forged, old["log"]), root.log_origin, root.log_keys
        )

    assert whole.perform("disk-full").passed  # signed by keys that the intruder has not
    stored = reader.read_stored(whole.places.centre / "audit")
    trust = verify.Trust(root.log_origin, root.log_keys, older=(kept.read_text(encoding="utf-8"),))
    assert verify.verify(stored, trust, deep=True, live=True).passed


def root_versions(whole):
    with whole.client() as asked:
        return [one["root_version"] for one in asked.get("/hosts")["items"]]
