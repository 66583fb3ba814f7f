"""What lives in a running system right now, for a shell that completes: ids, hosts, playbooks.

    python -m sentienguard.cli.help.live incidents sentienguard incidents show --data DIR inc_

Called by the scripts that `completion` writes, with what was typed behind the kind. Rules:

1. Somebody waits with a finger on TAB: it ends within LIMIT_S and loads the standard library alone.
2. It says nothing where nobody is signed in, nothing runs, or anything else is wrong.
3. Only plain words come out: names are other people's, and a shell takes them apart.
4. A session that is over is renewed by a process of its own, which nothing interrupts: a refresh
   token counts once. The next TAB has the answer.
"""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

LIMIT_S: Final = 1.0
MOST_BYTES: Final = 8 << 20
SOURCES: Final[Mapping[str, tuple[str, str]]] = {  # kind -> path of the API, member of an item
    "approvals": ("/approvals?status=pending", "id"),
    "environments": ("/hosts", "environment"),
    "hosts": ("/hosts", "host"),
    "incidents": ("/incidents?limit=50", "id"),
    "maintenance": ("/maintenance", "id"),
    "playbooks": ("/playbooks", "name"),
    "silences": ("/silences", "id"),
}
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}\Z")
_RENEW: Final = (
    "import pathlib, sys; from sentienguard.cli import client\n"
    "with client.connect(pathlib.Path(sys.argv[1])): pass"
)


def main(words: Sequence[str]) -> int:
    """Print the values of a kind, one on each line; always status 0 (rule 2)."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        found = values(words[0], directory(words[1:]))
    except Exception:  # noqa: BLE001  # rule 2: whatever it is, a prompt is no place to say it
        return 0
    sys.stdout.write("".join(f"{one}\n" for one in found))
    return 0


def values(kind: str, data: Path) -> list[str]:
    """Return what there is of this kind, once each, as the API lists it."""
    path, member = SOURCES[kind]
    session = json.loads((data / "cli-token").read_bytes())
    server = session["server"]
    if server is None:
        server = json.loads((data / "run/controlplane.json").read_bytes())["people"]
    try:
        found = _asked(f"{server}/api/v1{path}", str(session["token"]))
    except urllib.error.HTTPError as refusal:
        if refusal.code == HTTPStatus.UNAUTHORIZED:
            _renew(data)
        return []
    names = [str(one[member]) for one in found["items"]]
    return [one for one in dict.fromkeys(names) if _WORD.match(one)]


def directory(words: Sequence[str]) -> Path:
    """Return the data directory that a command line names, or the usual one; as frame does."""
    given = ""
    for at, word in enumerate(words):
        if word == "--data":
            rest = [one for one in words[at + 1 :] if one != "="]  # bash takes --data=DIR apart
            given = rest[0] if rest else ""
        elif word.startswith("--data="):
            given = word.partition("=")[2]
    given = given or os.environ.get("SENTIENGUARD_DATA", "")
    usual = Path.home() / ".local/share/sentienguard"
    return Path(given).expanduser().absolute() if given else usual


def _asked(url: str, token: str) -> Any:
    if not url.startswith(("http://", "https://")):
        raise ValueError(url)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    wanted = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310  # checked above
    with opener.open(wanted, timeout=LIMIT_S) as answer:
        return json.loads(answer.read(MOST_BYTES))


def _renew(data: Path) -> None:
    subprocess.Popen(  # noqa: S603  # rule 4
        [sys.executable, "-c", _RENEW, str(data)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
