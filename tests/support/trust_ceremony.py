"""Who holds the offline keys and runs `sentienguard trust` on real files, and a host that follows.

Called by the tests of the command line that sign documents. `People.move` takes the keys of `up`
away as the how-to says, once for a module: tests that begin from nothing get a copy of it.
"""

import base64
import json
import shutil
from datetime import UTC, datetime

import pytest

from sentienguard.agent import executor_state, trust_store
from sentienguard.cli import main
from sentienguard.cli.installation import centre
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import trust_store as centre_trust
from sentienguard.trust import dsse

PASSPHRASE = "correct horse battery staple"
ADDRESS = "https://127.0.0.1:1"


class People:
    """Who runs commands, with a passphrase in a file."""

    def __init__(self, place, capsys, earlier):
        self.place = place
        self.capsys = capsys
        self.earlier = earlier  # of another test that moved keys: its place, and what it was told
        self.secret = place / "passphrase"
        self.secret.write_text(PASSPHRASE + "\n")
        self.secret.chmod(0o600)
        self.data = place / "data"
        self.places = Places(self.data)
        self.keys = place / "ceremony" / "keys"
        self.file = place / "ceremony" / "trust.json"

    def run(self, *words, status=0):
        """Run `sentienguard trust`; return its JSON, or what it said on standard error."""
        given = [str(word) for word in words]
        found = main.main(["trust", *given, "--json"])
        out, err = self.capsys.readouterr()
        assert found == status, err
        assert PASSPHRASE not in out + err
        return json.loads(out) if out else err

    def up(self):
        """Make what `up` makes before it starts anything."""
        self.places.make()
        centre.prepare(self.places, interval_s=30.0, drills=False)

    def sign(self, *names, status=0):
        sealed = ("--passphrase-file", self.secret, "--yes")
        return [
            self.run("sign", self.file, "--key", self.keys / f"{name}.pem", *sealed, status=status)
            for name in names
        ]

    def take_over(self, *more):
        return self.run("import", self.file, "--data", self.data, *more)

    def load(self):
        now = datetime.now(UTC)
        return centre_trust.load(self.places.centre, agents_address=ADDRESS, now=now)

    def move(self):
        """Move the keys of `up` away, as the how-to says; from nothing, that is done but once."""
        if self.data.exists():
            return self.move_now()
        if not self.earlier:
            place = self.place / "earlier"
            place.mkdir()
            self.earlier.append((place, People(place, self.capsys, []).move_now()))
        place, told = self.earlier[0]
        shutil.copytree(place, self.place, dirs_exist_ok=True)
        return told

    def move_now(self):
        self.up()
        carried = self.place / "carried.json"
        self.run("export", "--out", carried, "--data", self.data)
        self.run(
            "init", "--dir", self.file.parent, "--from", carried, "--passphrase-file", self.secret
        )
        self.run("sign", self.file, "--key", self.places.offline / "root.pem", "--yes")
        return self.take_over()


@pytest.fixture(scope="module")
def earlier():
    return []


@pytest.fixture
def people(tmp_path, capsys, earlier):
    return People(tmp_path, capsys, earlier)


class Host:
    """An agent's trust, pinned to the root of the day it was enrolled."""

    def __init__(self, place, held):
        place.mkdir()
        state = executor_state.ExecutorState(place / "state.json")
        self.store = trust_store.TrustStore(
            place / "trust", held.root_digest, state, lambda *_: None
        )

    def pull(self, held):
        """Take what the agents' API hands out; return why not, or nothing."""
        sent = {
            digest: base64.b64encode(stored).decode() for digest, stored in held.playbooks.items()
        }
        try:
            self.store.accept(
                held.root_envelope,
                held.catalogue_envelope,
                sent,
                datetime.now(UTC),
                earlier=held.earlier_roots,
            )
        except dsse.NotTrusted as error:
            return str(error)
        return ""


def renamed(stored, old, new):
    return stored.replace(f"name: {old}".encode(), f"name: {new}".encode(), 1)
