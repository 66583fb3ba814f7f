"""The executor: the privileged half of the agent, and the one place where it is put together.

Run by `sentienguard-agent run executor`, by systemd or by the supervisor. It has the privileges
that the host's playbooks need, no network but health checks on loopback, and one door: a Unix
socket on which the collector brings orders and takes events away. It listens on no TCP or UDP port.

    hello       who this is, what runs, whether it is frozen
    ticket      a nonce for the next poll, and the last cosigned checkpoint
    order       judge an order, and run it
    stop        stop the running order
    events      signed events for the centre, from a number on; waits for the first
    acked       events that the centre holds
    config      root, catalogue and playbooks from the centre
    checkpoint  a checkpoint of the audit log to witness
    renewal     our word that this host asks for a certificate, now
    attempt     somebody asked for a command by hand: refused, and told

An order that a crash cut off is brought to its end before any other is taken. The executor ends
with status 1 when its journal fails or an execution meets an error that nobody foresaw: whoever
supervises it starts it again, and the start recovers.
"""

import contextlib
import fcntl
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sentienguard.adapters.databases import access
from sentienguard.adapters.local_host import (
    clock,
    command_runner,
    facts,
    files,
    host_facts,
    http_probe,
    interrupt,
    kernel_settings,
    locks,
    log_reader,
    open_files,
    processes,
    services,
    systemd,
)
from sentienguard.adapters.local_servers import controls
from sentienguard.agent import (
    diary,
    drift,
    executor_state,
    kept_journal,
    order_intake,
    ownership,
    private_files,
    relays,
    settings,
    socket_server,
    trust_store,
    witness_desk,
)
from sentienguard.model import errors, ids, playbook
from sentienguard.stages.audit import entry
from sentienguard.stages.execute import host as hosts
from sentienguard.stages.execute import ledger as ledgers
from sentienguard.stages.execute import recovery
from sentienguard.stages.execute.report import events
from sentienguard.stages.observe import redact
from sentienguard.trust import keys, renewal

MARKER = "do-not-remediate"  # a file in the agent's directory; while it exists nothing is executed
MAINTENANCE_TAG = "maintenance_mode"
LOOK_S = 0.2  # between two looks whether to end, and whether the marker stops what runs
END_S = 4.0  # for the running order to be stopped and undone when the executor is told to end
MOST_WAIT_S = 60.0  # that a request for events may wait
MAX_COMMAND = 2_000  # characters of an attempted command
MAX_NOTE = 64 * 1024  # characters of a checkpoint


class Executor:
    """Everything that the socket can ask, put together from one agent's directory."""

    def __init__(self, directory: Path, told: diary.Diary) -> None:
        """Read what is kept. Raises errors.SentienGuardError, OSError."""
        self.settings = settings.read(directory)
        home = settings.Places(directory).executor
        private_files.directory(home)
        self._diary = told
        self._failed = threading.Event()
        key = self._key = keys.SigningKey.from_pem((home / "key.pem").read_bytes())
        state = executor_state.ExecutorState(home / "state.json")
        time = clock.LocalClock()
        source = events.Source(
            self.settings.agent_id,
            self.settings.environment,
            key.sign,
            {name: kind.controls for name, kind in entry.KINDS.items()},
        )
        self._journal = kept_journal.KeptJournal(home, self.settings.agent_id, state)
        self.ledger = ledgers.Ledger(self._journal.file, source, time)
        self.trust = trust_store.TrustStore(
            home / "trust",
            self.settings.root_digest,
            state,
            _parse,
        )
        self.witness = witness_desk.WitnessDesk(state, self.settings.agent_id, key)
        self.drift = drift.Drift(directory, state)
        self.host = _host(
            self.settings,
            directory,
            home,
            time,
            busy=lambda: self.intake.busy,
            drifted=lambda: self.drift.reason,
        )
        self.intake = order_intake.Intake(
            self.settings, self.host, self.ledger, self.trust, self._fail
        )

    def recover(self) -> None:
        """Bring an order that was cut off to its end, in the worker thread; else tidy up."""
        order = recovery.cut_off(self.ledger)
        if order is None:
            self.ledger.compact()
        self._tell_of_journal()
        self._journal.begun()
        if order is None:
            return
        self._diary.tell("recovering", order=order)
        self.intake.run(order, lambda: recovery.recover(self.host, self.ledger, self.trust))

    def _tell_of_journal(self) -> None:
        if (owner := self._journal.set_aside) is not None:
            self._alarm(
                "journal_set_aside",
                f"the journal of the earlier identity {owner} was set aside; what an order of it "
                "had begun and not ended stays as it is",
            )
        if why := self._journal.failure:
            self._alarm("journal_failed", why)

    def _alarm(self, what: str, reason: str) -> None:
        self._diary.tell(what.replace("_", " "), reason=reason)
        self.ledger.tell(events.alarm(what, reason, self.ledger.now_ms()))

    def watch_files(self, stop: threading.Event) -> None:
        """Tell of changed files, those of the time before this start too, until `stop` is set."""
        if self.drift.since_last is not None:
            self._files_changed(self.drift.since_last)
        self.drift.watch(stop, self._files_changed)

    def _files_changed(self, reason: str) -> None:
        self._diary.tell("files changed", reason=reason)
        digests = self.drift.digests.fields()
        self.ledger.tell(events.alarm("files_changed", reason, self.ledger.now_ms(), **digests))

    def operations(self) -> Mapping[str, socket_server.Operation]:
        """Return what the socket can be asked."""
        return {
            "hello": self._hello,
            "ticket": self._ticket,
            "order": self._order,
            "stop": self._stop,
            "events": self._events,
            "acked": self._acked,
            "config": self._config,
            "checkpoint": self._checkpoint,
            "renewal": self._renewal,
            "attempt": self._attempt,
        }

    @property
    def failed(self) -> threading.Event:
        """Set when the executor has to end, so that its next start recovers."""
        return self._failed

    @property
    def broken(self) -> bool:
        """Tell whether the journal failed; keeps why for the next start, which tells the centre."""
        if not (self.ledger.failed or self._journal.file.failed):
            return False
        self._journal.failed(self.ledger.broken or "")
        return True

    def _fail(self, error: BaseException) -> None:
        self._diary.failed("execution", error)
        self._failed.set()

    def _hello(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "agent_id": self.settings.agent_id,
            "busy": self.intake.busy,
            "frozen": self.host.forbidden() is not None,
            "last_seq": self.ledger.memory.event_seq,
            "root_version": 0 if self.trust.root is None else self.trust.root.version,
            "drift": self.drift.reason or "",
            **self.drift.digests.fields(),
        }

    def _ticket(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "nonce": self.intake.ticket(),
            "checkpoint": self.witness.cosigned,
            "tree_size": self.witness.size,
        }

    def _order(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self.intake.order(request.get("envelope"))
        if answer.refusal is None:
            return {"admitted": True, "order_id": answer.order}
        rule, reason = answer.refusal.rule, answer.refusal.reason
        return {"admitted": False, "order_id": answer.order, "rule": rule, "reason": reason}

    def _stop(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        why_not = self.intake.stop(request.get("envelope"))
        return {"stopping": why_not is None, "reason": why_not or ""}

    def _events(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        after = int(socket_server.number(request, "after", 2**53))
        wait_s = socket_server.number(request, "wait_s", MOST_WAIT_S)
        found = self.ledger.events_after(after, wait_s)
        return {"events": [{name: one[name] for name in ("leaf", "sig", "blobs")} for one in found]}

    def _acked(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        through = int(socket_server.number(request, "through", 2**53))
        return {"through": self.ledger.acked(through)}

    def _config(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        playbooks = request.get("playbooks")
        try:
            if not isinstance(playbooks, dict):
                raise socket_server.BadRequest("playbooks: expected an object of digest -> base64")
            now = self.host.clock.now()
            listed = self.trust.accept(
                request.get("root"),
                request.get("catalogue"),
                playbooks,
                now,
                earlier=_roots(request.get("roots", [])),
            )
        except (errors.Rejected, OSError) as error:
            self._diary.failed("config", error)
            version = self.trust.newest.version
            return {"accepted": False, "reason": str(error), "catalogue_version": version}
        self._diary.worked("config")
        root = self.trust.root
        return {
            "accepted": True,
            "reason": "",
            "catalogue_version": listed.version,
            "server_pins": [] if root is None else list(root.server_pins),
        }

    def _checkpoint(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        note = socket_server.text(request, "checkpoint", MAX_NOTE)
        root = self.trust.root
        if root is None:
            return {"cosigned": False, "reason": "no root has arrived yet"}
        at_s = int(self.host.clock.now().timestamp())
        try:
            self.witness.see(note, request.get("consistency", []), root, at_s=at_s)
        except (errors.Rejected, OSError) as error:
            self._diary.failed("witness", error)
            return {"cosigned": False, "reason": str(error)}
        self._diary.worked("witness")
        return {"cosigned": True, "reason": ""}

    def _renewal(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"statement": renewal.seal(self.settings.agent_id, self.host.clock.now(), self._key)}

    def _attempt(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        command = redact.line(socket_server.text(request, "command", MAX_COMMAND))
        user = socket_server.text(request, "user", 128)
        self.ledger.tell(events.tried(command, user, self.ledger.now_ms()))
        return {"recorded": True}


def _roots(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise socket_server.BadRequest("roots: expected a list of envelopes, oldest first")
    return found


def main(directory: Path) -> int:
    """Run until SIGTERM or SIGINT; return the exit status."""
    told = diary.Diary("executor")
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    try:
        with _alone(settings.Places(directory).executor):
            return _serve(directory, told, end)
    except (errors.SentienGuardError, OSError) as error:
        told.failed("start", error)
        return 1


def _serve(directory: Path, told: diary.Diary, end: threading.Event) -> int:
    executor = Executor(directory, told)
    server = _door(directory, executor, told)
    executor.recover()
    threading.Thread(target=server.serve, name="socket", daemon=True).start()
    threading.Thread(target=executor.watch_files, name="drift", args=(end,), daemon=True).start()
    gc.freeze()  # what was loaded stays; looking through it again and again costs each order time
    told.tell("ready", agent=executor.settings.agent_id)
    while not end.wait(LOOK_S):
        executor.intake.heed()
        if executor.broken or executor.failed.is_set():
            server.close()
            return 1
    server.close()
    executor.intake.end("the executor, which is told to end", END_S)
    return 0


def _door(directory: Path, executor: Executor, told: diary.Diary) -> socket_server.SocketServer:
    """Bind the socket, for a collector of another user too."""
    place = settings.Places(directory).socket
    private_files.directory(place.parent)
    try:
        collector = ownership.owner_of(settings.Places(directory).collector)
    except FileNotFoundError:
        collector = ownership.Owner(os.geteuid(), os.getegid())
    allowed = {0, os.geteuid(), collector.uid}
    if os.geteuid() != 0 or collector.uid == 0:
        return socket_server.SocketServer(place, executor.operations(), allowed, told)
    # The directory is ours and the collector passes it: in one of its own it could put another
    # name in place of the socket while we give that away.
    os.chown(place.parent, 0, collector.gid)
    server = socket_server.SocketServer(place, executor.operations(), allowed, told)
    os.chown(place, collector.uid, collector.gid, follow_symlinks=False)
    place.parent.chmod(ownership.PASS)
    return server


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold a lock, so that two executors never run one agent's orders."""
    private_files.directory(home)
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise errors.Unavailable(f"{home}: another executor runs for this agent") from error
        yield
    finally:
        os.close(descriptor)


def _host(
    configured: settings.Settings,
    directory: Path,
    home: Path,
    time: clock.LocalClock,
    *,
    busy: Callable[[], ids.OrderId | None],
    drifted: Callable[[], str | None],
) -> hosts.Host:
    probe = http_probe.LoopbackProbe()
    runner = command_runner.LocalCommands()
    confined = configured.confined
    table = processes.LocalProcesses(_of_declared(configured) if confined else None)
    watched = {one.path: one.budget_bytes for one in configured.volumes}
    volumes = files.LocalFiles(watched, confined=confined)
    declared = {name: _declared(one) for name, one in configured.services.items()}
    units = systemd.Systemd(runner, confined=confined)
    known = services.LocalServices(declared, home / "services", probe, units)
    programs = controls.LocalServers(_controls(configured), runner, interrupt.LocalInterrupt())
    opened = open_files.LocalOpenFiles(known)
    left = locks.LocalLocks(locks.here(configured.lock_directories))
    kernel = kernel_settings.LocalKernel()
    return hosts.Host(
        name=configured.host,
        tags=configured.tags,
        clock=time,
        commands=runner,
        databases=access.LocalDatabases(
            {name: _database(one) for name, one in configured.databases.items()}
        ),
        facts=facts.LocalFacts(
            volumes,
            known,
            table,
            probe,
            {
                **programs.facts(),
                **host_facts.measures(opened, left, None if confined else kernel, known, volumes),
            },
        ),
        files=volumes,
        http=probe,
        logs=log_reader.LocalLogs(),
        processes=table,
        services=known,
        forbidden=lambda: _forbidden(configured, directory) or drifted(),
        running=lambda: frozenset(() if (order := busy()) is None else (order,)),
        redact=_redacted,
        remotes=relays.Relays(configured.relays, runner),
        servers=programs,
        open_files=opened,
        locks=left,
        kernel=None if confined else kernel,
    )


def _controls(configured: settings.Settings) -> controls.Controls:
    return {
        service: {
            kind: controls.Control(
                kind=kind,
                address=one.address,
                user=one.user,
                password_file=one.password_file,
                holds=one.holds,
                queue=one.queue,
                file=one.file,
                renew=one.renew,
            )
            for kind, one in each.items()
        }
        for service, each in configured.controls.items()
    }


def _of_declared(configured: settings.Settings) -> Callable[[int], bool]:
    """Return what tells whether a process is that of a declared service."""
    files_ = [Path(one.pid_file) for one in configured.services.values()]

    def of_declared(pid: int) -> bool:
        for file in files_:
            with contextlib.suppress(OSError, ValueError):
                if int(file.read_text("ascii")) == pid:
                    return True
        return False

    return of_declared


def _parse(stored: bytes, origin: str) -> playbook.Playbook:
    # Loaded with the first order: the language and its YAML reader cost 3 MB that an executor with
    # nothing to do need not have.
    from sentienguard.playbook import parse  # noqa: PLC0415

    return parse.load(stored, origin=origin)


def _declared(one: settings.Service) -> services.Declared:
    return services.Declared(
        name=one.name,
        start=one.start,
        pid_file=Path(one.pid_file),
        health_url=one.health_url,
        log_file=None if one.log_file is None else Path(one.log_file),
        config_file=None if one.config_file is None else Path(one.config_file),
    )


def _database(one: settings.Database) -> access.Declared:
    return access.Declared(
        kind=one.kind,
        address=one.address,
        user=one.user,
        password_file=None if one.password_file is None else Path(one.password_file),
        database=one.database,
    )


def _forbidden(configured: settings.Settings, directory: Path) -> str | None:
    if configured.tags.get(MAINTENANCE_TAG, "false").lower() == "true":
        return f"this host is in maintenance: its tag {MAINTENANCE_TAG} is true"
    if os.path.lexists(directory / MARKER):
        return f"the file {MARKER} in the agent's directory forbids it"
    return None


def _redacted(output: str) -> str:
    return "\n".join(redact.secrets(line) for line in output.split("\n"))
