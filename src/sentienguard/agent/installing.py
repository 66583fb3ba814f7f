"""Set an enrolled agent up as two services of this host, each of a user of its own; and undo it.

Called by `sentienguard-agent install` and `uninstall`, as root. Rules:

1. Everything is looked at before anything is changed (`agent.installable`).
2. What is as it must be is left alone: a second run changes nothing and restarts nothing.
3. A unit that somebody changed by hand, or that belongs to another directory, is not overwritten.
   Asked to, we keep it beside as NAME.kept.
4. The installation is done when both processes have shown that they work: the executor answers, the
   collector has kept a sample.
5. Uninstalling takes the units away. Data, keys and the user stay.
"""

import grp
import pwd
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sentienguard.agent import (
    executor_link,
    installable,
    ownership,
    private_files,
    release,
    settings,
    spool,
    systemd_units,
    units,
)
from sentienguard.model import errors

HEARD_S: Final = 5.0  # for the control plane to acknowledge the first sample
FUTILE: Final = 3  # starts by systemd itself: who ended so often ends again
UP_S: Final = 60.0  # for both processes to show that they work, on a host that is busy
_SHELLS: Final = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false")


class NotUp(errors.Unavailable):
    """The units are there and a process does not work; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that has to be so."""

    what: str  # for people, as an instruction
    do: Callable[[], object]


@dataclass(slots=True)
class Done:
    """What was changed, or would be, and what there is now."""

    directory: Path
    changed: list[str] = field(default_factory=list)
    processes: dict[str, int] = field(default_factory=dict)  # unit -> process id
    next: list[str] = field(default_factory=list)  # what people do now


def install(
    directory: Path, one_file: release.OneFile | None, *, replace_units: bool, dry_run: bool
) -> Done:
    """Set it up, or say what would be done. Raises CannotInstall, NotUp, units.NotForUnits ..."""
    installable.require_root()
    installable.require_systemd()
    directory = directory.absolute()
    configured = installable.require_enrolled(directory)
    written = units.render(installable.place(directory, configured, one_file))
    installable.require_private(directory, "the agent's directory")
    installable.require_units_ours(directory, written, replace_units=replace_units)
    installable.require_alone(directory)
    done = Done(directory)
    if not dry_run:
        _require_idle(directory, configured, written)
    for step in _preparations(directory, written):
        done.changed.append(step.what)
        if not dry_run:
            step.do()
    if dry_run:
        return done
    began = time.time()
    for step in list(_starts(directory, configured, written, anew=bool(done.changed))):
        done.changed.append(step.what)
        step.do()
    if not done.changed:  # it has been running: its last samples will do
        began -= 2 * configured.interval_s + HEARD_S
    done.processes = _wait(directory, began)
    done.next = _next(directory, configured)
    return done


def uninstall(directory: Path, *, dry_run: bool) -> Done:
    """Stop both services and take their units away (rule 5). Raises CannotInstall ..."""
    installable.require_root()
    installable.require_systemd()
    directory = directory.absolute()
    done = Done(directory)
    found = {name: text for name in units.NAMES if (text := installable.read(name)) is not None}
    for name, text in found.items():
        installable.require_same_directory(name, text, directory)
    for name, text in reversed(found.items()):
        kept = "" if units.is_ours(text) else f", keeping it as {name}{installable.KEPT}"
        done.changed.append(f"stop {name} and take its unit away{kept}")
        if not dry_run:
            systemd_units.run("systemctl", "disable", "--now", name)
            _take_away(name, text)
    if found and not dry_run:
        systemd_units.run("systemctl", "daemon-reload")
    stays = (
        f"{directory} and user {units.USER} are as they were; remove them if they are not needed"
    )
    done.next = [stays] if found else [f"no unit of the agent is in {systemd_units.UNITS}"]
    return done


def _preparations(directory: Path, written: dict[str, str]) -> Iterator[Step]:
    """Yield what has to be done before anything is started (rule 2)."""
    user = _user()
    if user is None:
        yield Step(f"add the system user {units.USER}", _adding())
    what = "give each process its files"
    if user is None:  # it is there now, unless this is a dry run
        yield Step(what, lambda: ownership.hand_over(directory, _require_user()))
    elif differing := ownership.hand_over(directory, user, change=False):
        named = ", ".join(differing[:3]) + (" ..." if len(differing) > 3 else "")  # noqa: PLR2004
        yield Step(f"{what}: {named}", lambda: ownership.hand_over(directory, user))
    for name, text in written.items():
        found = installable.read(name)
        if found == units.stamped(text):
            continue
        kept = found is not None and found != text and not units.is_ours(found)
        beside = f", keeping the one that was changed as {name}{installable.KEPT}" if kept else ""
        yield Step(f"write {systemd_units.UNITS / name}{beside}", _writing(name, text, found))


def _adding() -> Callable[[], object]:
    """Return what makes the user. Raises CannotInstall."""
    if not systemd_units.has("useradd"):
        raise installable.CannotInstall(
            f"there is no useradd here: make a system user {units.USER} with a group of that name,"
            " without a home or a shell, then install again"
        )
    shell = next((one for one in _SHELLS if Path(one).exists()), _SHELLS[-1])
    try:
        grp.getgrnam(units.USER)
        group = ["--gid", units.USER]
    except KeyError:
        group = ["--user-group"]
    more = ("--no-create-home", "--home-dir", "/nonexistent", "--shell", shell, *group, units.USER)
    return lambda: systemd_units.run("useradd", "--system", *more)


def _user() -> ownership.Owner | None:
    try:
        found = pwd.getpwnam(units.USER)
    except KeyError:
        return None
    if found.pw_uid == 0:
        raise installable.CannotInstall(
            f"user {units.USER} has root's number 0; make it another user"
        )
    return ownership.Owner(found.pw_uid, found.pw_gid)


def _require_user() -> ownership.Owner:
    found = _user()
    if found is None:
        raise installable.CannotInstall(f"useradd made no user {units.USER}")
    return found


def _writing(name: str, text: str, found: str | None) -> Callable[[], object]:
    """Return what writes a unit, keeping one that somebody changed (rule 3)."""

    def write() -> None:
        if found is not None and found != text and not units.is_ours(found):
            (systemd_units.UNITS / name).rename(systemd_units.UNITS / f"{name}{installable.KEPT}")
        file = systemd_units.UNITS / name
        private_files.write(file, units.stamped(text).encode())
        file.chmod(0o644)

    return write


def _take_away(name: str, text: str) -> None:
    file = systemd_units.UNITS / name
    if units.is_ours(text):
        file.unlink()
    else:
        file.rename(file.with_name(f"{name}{installable.KEPT}"))


def _starts(
    directory: Path, configured: settings.Settings, names: Iterable[str], *, anew: bool
) -> Iterator[Step]:
    """Yield what makes systemd run what is there now; `anew`: something was changed."""
    states = {name: systemd_units.state(name) for name in names}
    stale = any(state.stale for state in states.values())
    if stale or anew:
        yield Step("let systemd read its units", _asking("daemon-reload"))
    for name, state in states.items():
        if not state.enabled:
            yield Step(f"enable {name}", _asking("enable", "--quiet", name))
    another = _is_another(directory, configured)
    for name, state in states.items():
        active = state.active == "active"
        if not active or stale or anew or another:
            yield Step(f"{'restart' if active else 'start'} {name}", _asking("restart", name))


def _asking(*words: str) -> Callable[[], object]:
    return lambda: systemd_units.run("systemctl", *words)


def _require_idle(directory: Path, configured: settings.Settings, units_: dict[str, str]) -> None:
    """Refuse to restart an executor in the middle of an order."""
    busy = (_hello(directory) or {}).get("busy")
    due = busy and next(_preparations(directory, units_), None)
    if busy and (due or _is_another(directory, configured)):
        raise installable.CannotInstall(
            f"order {busy} runs, and this would restart the executor: install when it has ended"
        )


def _is_another(directory: Path, configured: settings.Settings) -> bool:
    """Tell whether the executor that runs has an identity that was given up."""
    found = _hello(directory)
    return found is not None and found.get("agent_id") != configured.agent_id


def _hello(directory: Path) -> Mapping[str, Any] | None:
    """Return what the executor says of itself; None: it does not answer."""
    link = executor_link.ExecutorLink(settings.Places(directory).socket)
    try:
        return link.ask("hello")
    except errors.Unavailable:
        return None
    finally:
        link.close()


def _wait(directory: Path, began: float) -> dict[str, int]:
    """Wait until both work (rule 4); return their process ids. Raises NotUp."""
    until = time.monotonic() + UP_S
    while True:
        missing = _missing(directory, began)
        if not missing:
            return {name: systemd_units.state(name).pid for name in units.NAMES}
        ending = (name for name in missing if systemd_units.state(name).starts >= FUTILE)
        late = iter(missing) if time.monotonic() > until else ()
        if name := next(iter((*ending, *late)), ""):
            raise NotUp(
                f"{name}: {missing[name]}; `systemctl status {name}` shows more. It said:"
                f" {systemd_units.last_words(name) or 'nothing'}"
            )
        time.sleep(0.2)


def _missing(directory: Path, began: float) -> dict[str, str]:
    """Return what does not work yet, by its unit."""
    found = {}
    for name in units.NAMES:
        state = systemd_units.state(name)
        if state.active != "active":
            found[name] = f"it is {state.active}"
    if units.EXECUTOR not in found and _hello(directory) is None:
        found[units.EXECUTOR] = "it does not answer"
    if units.COLLECTOR not in found and not _kept_since(directory, began):
        found[units.COLLECTOR] = "it took no sample"
    return found


def _kept_since(directory: Path, began: float) -> bool:
    """Tell whether the collector kept a sample, or had one acknowledged, since then."""
    home = settings.Places(directory).collector / "spool"
    states = [one.lstat() for one in home.glob("*.seg")]
    last = _last(home)
    times = [state.st_mtime for state in states if state.st_size]
    return max([*times, last.at if last.seq else 0.0]) >= began


def _last(home: Path) -> spool.Last:
    """Return the newest acknowledgement, of number 0 where there was none."""
    try:
        return spool.last_acknowledged(home)
    except FileNotFoundError:
        return spool.Last(0, 0.0)


def _next(directory: Path, configured: settings.Settings) -> list[str]:
    """Return what people do now."""
    told = []
    if not _is_heard(directory, configured.interval_s):
        told.append(
            "the control plane has acknowledged no sample yet: `sentienguard-agent status` shows"
            f" when it does, `journalctl --unit {units.COLLECTOR}` why not"
        )
    verify = f"`sentienguard-agent verify --dir {directory}` looks at every file"
    more = f"what playbooks need beyond the unit: `systemctl edit {units.EXECUTOR}`"
    return [*told, verify, more]


def _is_heard(directory: Path, interval_s: float) -> bool:
    """Tell whether the centre acknowledges samples; gives it a moment for the first one."""
    until = time.monotonic() + HEARD_S
    while True:
        last = _last(settings.Places(directory).collector / "spool")
        if last.seq and time.time() - last.at < 2 * interval_s + HEARD_S:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
