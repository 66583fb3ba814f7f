"""A host without an agent, over OpenSSH: one key, one known host, one declared list of units.

`ssh` hands its command to the login's shell on the other side, so each word is quoted for one; the
words are the owner's own systemctl, a verb of ours and a unit that was matched whole. Nothing of
the user's or the system's configuration of ssh is read, no agent asked, nothing forwarded.
"""

import shlex
from dataclasses import dataclass
from typing import Final

from sentienguard.adapters.remote_programs import programs, target
from sentienguard.playbook import objects
from sentienguard.ports import command_runner, remote_objects

PROGRAM: Final = "/usr/bin/ssh"
RESTART: Final = "restart"  # the one verb that acts
FAILED: Final = 255  # ssh's own exit status: no connection, no login, another host key
_STATES: Final = {
    "active": "ok",
    "failed": "failed",
    "inactive": "stopped",
    **dict.fromkeys(("activating", "reloading", "deactivating", "maintenance"), "updating"),
}


@dataclass(frozen=True, slots=True)
class Login:
    """Where to log in, as whom, and which host key is the right one."""

    host: str
    port: int
    user: str
    key_file: str
    known_hosts_file: str
    systemctl: tuple[str, ...]


class Ssh:
    """A target.Vendor."""

    def __init__(self, login: Login, commands: command_runner.CommandRunner) -> None:
        """Take where to log in."""
        self._login = login
        self._programs = programs.Programs(commands, {})

    def read(self, name: objects.Name, effort: remote_objects.Effort) -> target.Reading:
        """Ask systemd there; see target.Vendor."""
        shown = "--property=LoadState,ActiveState,FragmentPath"
        printed = self._over(("show", shown, "--", name.parts[0]), effort)
        found = dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)
        if found.get("LoadState") != "loaded":
            raise programs.Gone(f"{name}: LoadState is {ascii(found.get('LoadState'))[:60]}")
        status = _STATES.get(found.get("ActiveState", ""), "impaired")
        return target.Reading(found.get("FragmentPath", ""), status, 1, int(status == "ok"))

    def do(
        self,
        asked: remote_objects.Asked,
        name: objects.Name,
        number: int | None,
        effort: remote_objects.Effort,
    ) -> str:
        """Restart it there; see target.Vendor."""
        del asked, number
        return self._over((RESTART, "--", name.parts[0]), effort)

    def _over(self, words: tuple[str, ...], effort: remote_objects.Effort) -> str:
        login = self._login
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": login.known_hosts_file,
            "GlobalKnownHostsFile": "/dev/null",
            "UpdateHostKeys": "no",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "PreferredAuthentications": "publickey",
            "ForwardAgent": "no",
            "ClearAllForwardings": "yes",
            "PermitLocalCommand": "no",
            "ProxyCommand": "none",
            "ConnectTimeout": "10",
        }
        argv = [PROGRAM, "-F", "/dev/null", "-T", "-i", login.key_file, "-p", str(login.port)]
        for key, value in options.items():
            argv += ["-o", f"{key}={value}"]
        remote = " ".join(shlex.quote(word) for word in (*login.systemctl, *words))
        argv += ["-l", login.user, "--", login.host, remote]
        result = self._programs.result(argv, effort)
        if result.exit_code == 0:
            return result.stdout
        said = ascii(" ".join(result.stderr.split())[-300:])
        if result.exit_code == FAILED:
            raise remote_objects.Unreachable(f"ssh to {login.host}: {said}")
        if words[0] == RESTART:
            raise remote_objects.Unreachable(
                f"{RESTART} on {login.host}: {result.exit_code} {said}; whether it stopped it is "
                "not known"
            )
        raise remote_objects.Refused(f"{words[0]} on {login.host}: {result.exit_code} {said}")
