"""The two systemd units of the agent: what each process is allowed to be.

Called by `agent.installing`, which writes them for one directory and one program.
packaging/systemd has them as a package brings them; `tests/integration/agent/test_agent_units.py`
holds that these are the same and judges them. `tests/integration/agent/test_agent_installed.py`
runs them.

Rules:

1. A unit that we wrote carries the digest of what follows its first line, so that a change by hand
   is seen.
2. Nothing that has a meaning to systemd gets into a unit by way of a path.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentienguard.model import errors

COLLECTOR: Final = "sentienguard-collector.service"
EXECUTOR: Final = "sentienguard-executor.service"
NAMES: Final = (EXECUTOR, COLLECTOR)  # in the order in which they start
USER: Final = "sentienguard-agent"  # of the collector; the executor is root with four capabilities
GROUPS: Final = ("adm", "systemd-journal")  # who may read logs
EXECUTED: Final = ("/usr", "-/opt/sentienguard", "-/lib", "-/lib64")  # where programs lie
FREED: Final = ("/var", "-/etc", "-/srv", "-/opt")  # where remedies free space and change settings
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@:.,+/=-]+")  # no space, %, $, quote or backslash (rule 2)
_STAMP: Final = "# Written by `sentienguard-agent install`; change it with `systemctl edit`. "
_STAMPED: Final = re.compile(rf"{re.escape(_STAMP)}sha256:([0-9a-f]{{64}})\n")
_DIRECTORY: Final = re.compile(r"(?m)^ExecStart=.* run (?:collector|executor) --dir (\S+)$")


class NotForUnits(errors.Rejected):
    """A path cannot be written into a unit; the message names it."""


@dataclass(frozen=True, slots=True)
class Place:
    """What units are written for."""

    directory: Path  # of the agent, absolute
    program: tuple[str, ...]  # argv that starts the agent's command line
    groups: tuple[str, ...] = GROUPS  # that this host has
    executed: tuple[str, ...] = ()  # where its program lies, beside EXECUTED
    written: tuple[str, ...] = ()  # that the collector writes beside its directory


def render(place: Place) -> dict[str, str]:
    """Return each unit's text by its name. Raises NotForUnits."""
    _check((str(place.directory), *place.program, *place.executed, *place.written))
    common = {"program": " ".join(place.program), "directory": str(place.directory)}
    groups = f"SupplementaryGroups={' '.join(place.groups)}\n" if place.groups else ""
    return {
        EXECUTOR: _EXECUTOR.format(
            **common, written=" ".join((*FREED, *_beyond_var(place.directory)))
        ),
        COLLECTOR: _COLLECTOR.format(
            **common,
            user=USER,
            groups=groups,
            written=" ".join((f"{place.directory}/collector", *place.written)),
            executed=" ".join((*EXECUTED, *place.executed)),
        ),
    }


def stamped(text: str) -> str:
    """Return what is written to disk (rule 1)."""
    return f"{_STAMP}sha256:{_digest(text)}\n{text}"


def is_ours(found: str) -> bool:
    """Tell whether we wrote this, and nobody changed it since (rule 1)."""
    stamp = _STAMPED.match(found)
    return stamp is not None and stamp[1] == _digest(found[stamp.end() :])


def directory_of(found: str) -> Path | None:
    """Return the agent's directory that a unit runs; None where it says nothing of it."""
    line = _DIRECTORY.search(found)
    return None if line is None else Path(line[1])


def _beyond_var(directory: Path) -> Sequence[str]:
    return () if Path("/var") in directory.parents else (str(directory),)


def _check(words: Sequence[str]) -> None:
    wrong = [word for word in words if not _PLAIN.fullmatch(word)]
    if wrong:
        raise NotForUnits(
            f"{wrong[0]}: a unit cannot hold this path; use letters, digits and _@:.,+-/= alone"
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_COLLECTOR: Final = """\
# The collector: network, no privileges. It reads the host and carries orders; it can do neither
# more nor less under any other name. Its score: `systemd-analyze security --offline=true FILE`.
[Unit]
Description=SentienGuard agent, collector (reads this host, has no privileges)
Documentation=https://github.com/sentienguard/sentienguard
Wants=network-online.target sentienguard-executor.service
After=network-online.target sentienguard-executor.service
# However often it ended, it comes back.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={program} run collector --dir {directory}
User={user}
Group={user}
{groups}Restart=always
RestartSec=2
TimeoutStopSec=10
UMask=0077

# What it may use of the host.
MemoryHigh=90M
MemoryMax=100M
CPUQuota=10%
TasksMax=64
LimitNOFILE=1024
OOMScoreAdjust=500
IOSchedulingClass=idle
Nice=5

# What it may touch: its own directory, and nothing else.
ProtectSystem=strict
ReadWritePaths={written}
InaccessiblePaths=-{directory}/executor
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=default
RemoveIPC=yes
NoExecPaths=/
ExecPaths={executed}

# What it may ask of the kernel.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
PrivateUsers=no
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SocketBindDeny=any
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @obsolete @debug @mount @module @raw-io @reboot @swap
SystemCallFilter=~listen accept accept4
# It shuts itself in as well, with Landlock and seccomp.
SystemCallFilter=seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""

_EXECUTOR: Final = """\
# The executor: privileges, no network but health checks on loopback. It admits every order by
# itself. What a playbook needs beyond this, its owner grants in a drop-in: see
# docs/how-to/confine-the-agent.md.
[Unit]
Description=SentienGuard agent, executor (runs signed playbooks, decides nothing)
Documentation=https://github.com/sentienguard/sentienguard
After=local-fs.target
# However often it ended, it comes back.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={program} run executor --dir {directory}
Restart=always
RestartSec=2
TimeoutStopSec=15
UMask=0077

# What it may use of the host.
MemoryMax=256M
TasksMax=128
LimitNOFILE=4096
OOMScoreAdjust=-500

# What it may touch: where remedies free space and change settings of services.
ProtectSystem=strict
ReadWritePaths={written}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RemoveIPC=yes

# What it may ask of the kernel. kill: processes of others; dac_override, fowner, chown: files of
# services; sys_resource is not there, nor is anything of the network.
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_KILL CAP_DAC_OVERRIDE CAP_FOWNER CAP_CHOWN
AmbientCapabilities=
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SocketBindDeny=any
IPAddressDeny=any
IPAddressAllow=localhost
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@obsolete @debug @mount @module @raw-io @reboot @swap @cpu-emulation @clock
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
