"""A control plane beside an identity provider on loopback, for tests of logging in through it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from tests.servers.openid_provider import CLIENT, SECRET, Provider
from tests.support import centre_process
from tests.support.centre_process import Centre

ENDS_WITHIN_S = 60  # a command
GROUPS = {
    "sre": {"staging": "administrator", "production": "remediation_authority"},
    "everybody": {"*": "observer", "production": "observer"},
}


@contextmanager
def running(data: Path, provider: Provider, **changes: Any) -> Iterator[Centre]:
    """Run a control plane whose file names this provider; `changes` go over the file."""
    (data / "secret").write_text(SECRET)
    (data / "secret").chmod(0o600)
    said = {
        "issuer": provider.address, "client": CLIENT, "private": True,
        "secret": f"file:{data / 'secret'}", "button": "Example login",
        "strong_ways": ["hwk"], "roles": GROUPS, **changes,
    }  # fmt: skip
    with centre_process.prepared(data) as start:
        (data / "controlplane/sign-on.yaml").write_text(yaml.safe_dump(said))
        with start() as centre:
            yield centre


def signed_in(browser: httpx.Client, address: str, **query: str) -> httpx.Response:
    """Go to an address of ours, through the provider, and return what we answer in the end."""
    there = browser.get(address, params=query or None)
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"])
    assert back.status_code == 302, back.text
    return browser.get(str(back.headers["location"]))


def as_person(provider: Provider, subject: str, **claims: Any) -> None:
    """Have this person log in next."""
    provider.person |= {"sub": subject, "preferred_username": f"{subject}@example.org", **claims}


def entries(admin: httpx.Client, kind: str) -> list[dict[str, Any]]:
    """Return the entries of a kind, newest first."""
    found = admin.get("/api/v1/audit/entries", params={"limit": 100}).json()["items"]
    return [one for one in found if one["kind"] == kind]


class CommandLine:
    """A real `sentienguard login --sso`, from its address to its end."""

    def __init__(self, centre: Centre, data: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sentienguard.cli.main", "login", "--sso", "--data", str(data),
             "--server", centre.people, *words],
            env={**os.environ, "COLUMNS": "80"}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.data, self.said = data, ""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if "has to show" in line:
                break
        found = re.search(r"^ +(http\S+)$", self.said, re.MULTILINE)
        assert found is not None, self.said
        self.address = found[1]
        shown = re.search(r"has to show (\S{9})\.", self.said)
        assert shown is not None, self.said
        self.shown = shown[1]

    def end(self, said: str = "") -> tuple[int, str]:
        """Say a line to it; return its status and all that it said."""
        out, err = self.process.communicate(said or None, timeout=ENDS_WITHIN_S)
        return self.process.returncode, self.said + out + err

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def session(self) -> Any:
        kept = self.data / "cli-token"
        return json.loads(kept.read_text()) if kept.exists() else None
