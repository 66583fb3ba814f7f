"""The collector shuts itself in: what it never needs, the kernel refuses it from then on.

Called by `agent.collector` while it starts. Works without systemd and without root, in containers
too, and for good: neither this process nor what it might start can take any of it back.

    Landlock  nothing is written outside the named directories, nothing is executed, no TCP port
              is bound, no signal reaches a process outside (as far as the kernel knows each of
              these: 5.13 for files, 6.7 for TCP, 6.12 for signals)
    seccomp   `bind` and `listen` fail for every kind of socket; so do starting programs, tracing,
              mounting, kernel modules, io_uring and the like; sockets are Unix, TCP, UDP or netlink

The two overlap on purpose: a kernel without one often has the other. The executor does not use
this: programs that it starts inherit it, and a declared service has to listen.

Rules:

1. Landlock comes first, while there is one thread; it holds for that thread and all that follow.
2. seccomp comes when the process has bound what it declared (StatsD's Unix socket); it holds for
   all threads.
3. What could not be had is said with its reason, never passed over.
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sentienguard.model import errors

MODES: Final = ("wanted", "required", "off")

_PR_SET_NO_NEW_PRIVS: Final = 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same on every machine
_LANDLOCK_VERSION: Final = 1  # flag: answer the version
_LANDLOCK_PATH: Final = 1  # kind of rule
_TCP_BIND: Final = 1 << 0
_SCOPES: Final = (1 << 0) | (1 << 1)  # abstract Unix sockets and signals
_EXECUTE, _WRITE_FILE, _TRUNCATE = 1 << 0, 1 << 1, 1 << 14
_CHANGE_NAMES: Final = sum(1 << bit for bit in range(4, 13))  # remove_dir ... make_sym
_REFER: Final = 1 << 13
_TCP_SINCE, _SCOPES_SINCE, _REFER_SINCE, _TRUNCATE_SINCE = 4, 6, 2, 3  # versions of Landlock

_SECCOMP_FILTER, _SECCOMP_ALL_THREADS = 1, 1
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # refuse: EPERM
_LOAD, _EQUAL, _AT_LEAST, _MASK, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06  # instructions of BPF
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT, _SECOND_ARGUMENT_AT = 0, 4, 16, 24
_OTHER_TABLE: Final = 0x40000000  # calls of the x32 table
_FAMILIES: Final = (1, 2, 10, 16)  # unix, inet, inet6, netlink
_RAW, _KIND = 3, 0xF  # of a socket


class NotConfined(errors.Unavailable):
    """The kernel does not offer what agent.json requires."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What seccomp has to know of a processor."""

    audit: int  # AUDIT_ARCH_*
    seccomp: int  # number of seccomp(2)
    socket: int  # number of socket(2)
    refused: dict[str, int]  # name -> number


_NAMES: Final = (
    *("bind", "listen", "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev"),
    *("mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "open_by_handle_at"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "add_key", "request_key"),
    *("keyctl", "swapon", "swapoff", "settimeofday", "clock_settime", "sethostname", "acct"),
)
_X86_64: Final = (
    *(49, 50, 59, 322, 101, 310, 311, 165, 166, 155, 161, 272, 308, 304, 175, 313, 176, 246, 320),
    *(169, 321, 298, 323, 425, 248, 249, 250, 167, 168, 164, 227, 170, 163),
)
_AARCH64: Final = (
    *(200, 201, 221, 281, 117, 270, 271, 40, 39, 41, 51, 97, 268, 265, 105, 273, 106, 104, 294),
    *(142, 280, 241, 282, 425, 217, 218, 219, 224, 225, 170, 112, 161, 89),
)
MACHINES: Final = {
    "x86_64": Machine(0xC000003E, 317, 41, dict(zip(_NAMES, _X86_64, strict=True))),
    "aarch64": Machine(0xC00000B7, 277, 198, dict(zip(_NAMES, _AARCH64, strict=True))),
}


@dataclass(frozen=True, slots=True)
class Level:
    """What was reached."""

    landlock: int  # version of the kernel's Landlock that is in force; 0: none
    seccomp: bool
    missing: tuple[str, ...]  # what could not be had, and why

    @property
    def text(self) -> str:
        """Say it in one word for each, for the diary and the poll."""
        landlock = f"landlock-{self.landlock}" if self.landlock else "no-landlock"
        return f"{landlock},{'seccomp' if self.seccomp else 'no-seccomp'}"


def landlock(directories: Iterable[Path], files: Iterable[Path] = ()) -> tuple[int, str]:
    """Allow writing below `directories` and to `files` alone (rule 1).

    Returns the version in force and "", or 0 and why not.
    """
    library = _library()
    version = library.syscall(
        _LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_LANDLOCK_VERSION)
    )
    if version < 1:
        return 0, f"Landlock: {os.strerror(ctypes.get_errno())}"
    try:
        _restrict(library, version, tuple(directories), tuple(files))
    except OSError as error:
        return 0, f"Landlock: {error}"
    return version, ""


def seccomp() -> str:
    """Refuse the calls of this file's head in all threads (rule 2); return "" or why not."""
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        return f"seccomp: no table of calls for {os.uname().machine}"
    library = _library()
    code = program(machine)
    held = ctypes.create_string_buffer(code)
    given = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
    try:
        _no_new_privileges(library)
        _asked(
            library.syscall(
                machine.seccomp,
                ctypes.c_uint(_SECCOMP_FILTER),
                ctypes.c_uint(_SECCOMP_ALL_THREADS),
                ctypes.create_string_buffer(given),
            ),
            "seccomp",
        )
    except OSError as error:
        return str(error)
    return ""


def settle(mode: str, version: int, *missing: str) -> Level:
    """Return what was reached. Raises NotConfined where `mode` requires all of it."""
    left = tuple(one for one in missing if one)
    if left and mode == "required":
        raise NotConfined(
            f"agent.json requires confinement, and this kernel refuses it: {'; '.join(left)}"
        )
    return Level(version, not any(one.startswith("seccomp") for one in left), left)


def program(machine: Machine) -> bytes:
    """Return the filter: instructions of eight bytes each."""
    return b"".join(_program(machine))


def _program(machine: Machine) -> Iterator[bytes]:
    def step(code: int, value: int, when: int = 0, unless: int = 0) -> bytes:
        return struct.pack("HBBI", code, when, unless, value)

    yield step(_LOAD, _MACHINE_AT)
    yield step(_EQUAL, machine.audit, 1, 0)
    yield step(_RETURN, _KILL)  # calls of another machine's table have other numbers
    yield step(_LOAD, _NUMBER_AT)
    yield step(_AT_LEAST, _OTHER_TABLE, 0, 1)
    yield step(_RETURN, _REFUSE)
    for number in machine.refused.values():
        yield step(_EQUAL, number, 0, 1)
        yield step(_RETURN, _REFUSE)
    yield step(_EQUAL, machine.socket, 1, 0)
    yield step(_RETURN, _ALLOW)
    yield step(_LOAD, _FIRST_ARGUMENT_AT)
    for at, family in enumerate(_FAMILIES):
        yield step(_EQUAL, family, len(_FAMILIES) - at, 0)
    yield step(_RETURN, _REFUSE)
    # A netlink socket may be raw by its own rules; it is told apart before the kind is looked at.
    yield step(_EQUAL, _FAMILIES[-1], 3, 0)
    yield step(_LOAD, _SECOND_ARGUMENT_AT)
    yield step(_MASK, _KIND)
    yield step(_EQUAL, _RAW, 1, 0)
    yield step(_RETURN, _ALLOW)
    yield step(_RETURN, _REFUSE)


def _restrict(
    library: ctypes.CDLL, version: int, directories: tuple[Path, ...], files: tuple[Path, ...]
) -> None:
    into_files = _WRITE_FILE | (_TRUNCATE if version >= _TRUNCATE_SINCE else 0)
    below = into_files | _CHANGE_NAMES | (_REFER if version >= _REFER_SINCE else 0)
    rules = struct.pack(
        "QQQ",
        below | _EXECUTE,
        _TCP_BIND if version >= _TCP_SINCE else 0,
        _SCOPES if version >= _SCOPES_SINCE else 0,
    )
    known = 24 if version >= _SCOPES_SINCE else 16 if version >= _TCP_SINCE else 8
    held = ctypes.create_string_buffer(rules)
    descriptor = _asked(
        library.syscall(_LANDLOCK_CREATE, held, ctypes.c_size_t(known), ctypes.c_uint(0)),
        "landlock_create_ruleset",
    )
    try:
        for paths, rights in ((directories, below), (files, into_files)):
            for path in paths:
                _allow(library, descriptor, path, rights)
        _no_new_privileges(library)
        _asked(
            library.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(descriptor), ctypes.c_uint(0)),
            "landlock_restrict_self",
        )
    finally:
        os.close(descriptor)


def _allow(library: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    with contextlib.closing(_Opened(path)) as opened:
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, opened.number))
        _asked(
            library.syscall(
                _LANDLOCK_ADD,
                ctypes.c_int(ruleset),
                ctypes.c_int(_LANDLOCK_PATH),
                rule,
                ctypes.c_uint(0),
            ),
            f"landlock_add_rule {path}",
        )


class _Opened:
    """A path that is held, not read."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_PATH | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self.number)


def _no_new_privileges(library: ctypes.CDLL) -> None:
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    _asked(library.prctl(_PR_SET_NO_NEW_PRIVS, one, none, none, none), "no_new_privs")


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _asked(answer: int, what: str) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return answer
