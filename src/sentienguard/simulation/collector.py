"""The collector of one simulated host: samples, polls and events, carried as the couriers carry.

Called by `site`. Like agent.couriers it judges nothing. While nothing is going on it does nothing
at all: a poll that would only be held is not sent, and the centre's bell or anything that happens
on the host wakes it. That is what makes an idle day free.
"""

import base64
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sentienguard.flow import dispatch, receipts
from sentienguard.model import errors
from sentienguard.simulation import link as links
from sentienguard.simulation.scheduler import Crash, Process
from sentienguard.trust import order as orders

if TYPE_CHECKING:
    from sentienguard.simulation import executor as executors
    from sentienguard.simulation import site as sites

SAMPLE_EVERY_S: Final = 30.0
POLL_PATIENCE_S: Final = 40.0
LEAST_REST_S: Final = 1.0
BUSY_LOOK_S: Final = 5.0
FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 30.0
T = TypeVar("T")


class Collector:
    """One run of a collector."""

    def __init__(self, site: "sites.Site") -> None:
        """Prepare; `begin` begins."""
        self.process = Process(f"{site.name} collector")
        self._site = site
        self._polling = self._sending = self._sampling = False
        self._configured = False
        self._retry = {"poll": FIRST_RETRY_S, "events": FIRST_RETRY_S}
        self._rest = 0
        self.nonces: list[str] = []

    def begin(self) -> None:
        """Pull the configuration, then look."""
        self._pull()
        self.stir()

    def stir(self) -> None:
        """Something may have changed: do what there is to do."""
        self._rest = 2  # polls after which there is nothing left to witness
        self._later(0.05, "polls", self._poll)
        self._later(0.1, "sends events", self._send)
        self._later(0.2, "samples", self._sample)

    # --- configuration -------------------------------------------------------------------------

    def _pull(self) -> None:
        site = self._site

        def handle(respond: links.Respond) -> None:
            self._centre().config(respond)

        def came(answer: Any, *, awaited: bool) -> None:
            if not awaited:
                return
            root, catalogue, playbooks = answer
            taken = self._try(lambda: self._executor().config(root, catalogue, playbooks))
            if taken:
                self._configured = True
            else:
                self._later(LONGEST_RETRY_S, "pulls again", self._pull)

        site.link.request(
            "config",
            handle,
            process=self.process,
            answered=came,
            failed=lambda: self._later(10.0, "pulls again", self._pull),
        )

    # --- orders --------------------------------------------------------------------------------

    def _poll(self) -> None:
        if self._polling or not self._interesting():
            return
        self._polling = True
        asked = self._try(self._ticket)
        if asked is None:
            self._poll_failed()
            return

        def handle(respond: links.Respond) -> None:
            def passes(answer: dispatch.Answer) -> None:
                if answer.order is not None:
                    self._site.wire.append(answer.order)
                    if self._site.intercepted(answer.order):
                        return
                respond(answer)

            self._centre().poll(self._site.agent, asked, passes)

        self._site.link.request(
            "poll",
            handle,
            process=self.process,
            answered=partial(self._answered, asked),
            failed=self._poll_failed,
            patience_s=POLL_PATIENCE_S,
        )

    def _ticket(self) -> dispatch.Poll:
        executor = self._executor()
        busy, ticket = executor.hello()["busy"], executor.ticket()
        self._site.watch.ticket(self._site.name, ticket["nonce"], executor)
        self.nonces = [*self.nonces[-3:], ticket["nonce"]]
        return dispatch.Poll(ticket["nonce"], busy, ticket["tree_size"], ticket["checkpoint"])

    def _answered(self, asked: dispatch.Poll, answer: dispatch.Answer, *, awaited: bool) -> None:
        if answer.checkpoint is not None and awaited:
            note, proof = answer.checkpoint, answer.consistency
            self._try(lambda: self.witness(note, proof, from_size=asked.tree_size))
        if answer.stop is not None:
            self._try(lambda: self.stop(answer.stop))
        if answer.order is not None:
            self._try(lambda: self.order(answer.order))
        if awaited:
            self._retry["poll"] = FIRST_RETRY_S
            self._polling = False
            self._rest -= not answer.has_work
            self._later(0.0 if answer.has_work else LEAST_REST_S, "polls", self._poll)
            self._later(0.1, "sends events", self._send)

    def _poll_failed(self) -> None:
        self._polling = False
        self._later(self._backed_off("poll"), "polls again", self._poll)

    def order(self, envelope: Any) -> None:
        """Hand an order over, and let the world see what becomes of it."""
        site, executor = self._site, self._executor()
        answer = executor.order(envelope)
        if answer.order in executor.ledger.memory.orders:
            site.ever_judged.add(answer.order)
        if answer.start is not None:
            signed = orders.claimed_order(envelope)
            site.watch.admitted(site.name, signed.order, signed.nonce, signed.seq, executor)
        elif answer.refusal is not None:
            site.tally[f"refused by {answer.refusal.rule}"] += 1
        else:
            site.tally["order known already"] += 1

    def stop(self, envelope: Any) -> None:
        """Hand a stop over."""
        site, executor = self._site, self._executor()
        if executor.stop(envelope) is None:
            stop = orders.open_stop(envelope, executor.vault.root)  # type: ignore[arg-type]  # there is one
            site.tally["order stopped"] += 1
            site.watch.numbered(site.name, stop.seq, f"stop of {stop.order}")
            site.watch.stopped(stop.order)

    def witness(self, note: str, proof: tuple[str, ...], *, from_size: int | None) -> str:
        """Hand a checkpoint over; return why it was not cosigned.

        `from_size`: what an honest centre proves growth from; None: it is nobody's honest word.
        """
        site, executor = self._site, self._executor()
        honest = from_size == executor.witness.memory.size
        why = executor.checkpoint(note, proof)
        if not why:
            seen = executor.witness.memory
            site.watch.cosigned(site.name, seen.size, seen.root)
        elif honest:
            site.watch.not_cosigned(site.name, why)
        return why

    # --- events --------------------------------------------------------------------------------

    def _send(self) -> None:
        if self._sending:
            return
        found = self._try(lambda: self._executor().events(self._site.last_acked))
        if found is None:
            self._later(self._backed_off("events"), "sends events", self._send)
            return
        if not found:
            return
        self._sending = True
        sent = [
            receipts.Event(
                one["leaf"].encode(),
                base64.b64decode(one["sig"]),
                tuple(
                    (blob["sha256"], blob["type"], base64.b64decode(blob["data"]))
                    for blob in one["blobs"]
                ),
            )
            for one in found
        ]

        def handle(respond: links.Respond) -> None:
            self._centre().events(self._site.agent, sent, respond)

        self._site.link.request(
            "events",
            handle,
            process=self.process,
            answered=self._events_kept,
            failed=self._events_failed,
        )

    def _events_kept(self, through: int, *, awaited: bool) -> None:
        site = self._site
        self._retry["events"] = FIRST_RETRY_S
        site.watch.events_acknowledged(f"agent:{site.agent}", through)

        def tell() -> bool:
            self._executor().acked(through)
            return True

        if self._try(tell):
            site.last_acked = max(site.last_acked, through)
        if awaited:
            self._sending = False
            self._later(0.05, "sends events", self._send)

    def _events_failed(self) -> None:
        self._sending = False
        self._later(self._backed_off("events"), "sends events", self._send)

    # --- samples -------------------------------------------------------------------------------

    def _sample(self) -> None:
        site = self._site
        centre = site.centre()
        open_here = centre is None or bool(site.unfinished())
        if self._sampling or not (site.machine.standing() or open_here or site.reported):
            return
        self._sampling = True
        standing, at = site.machine.standing(), site.machine.clock.now()

        def handle(respond: links.Respond) -> None:
            self._centre().sample(site.agent, standing, at, respond)

        def kept(_: Any, *, awaited: bool) -> None:
            site.reported = bool(standing) if awaited else site.reported

        def again() -> None:
            self._sampling = False
            self._sample()

        site.link.request(
            "sample", handle, process=self.process, answered=kept, failed=lambda: None
        )
        self._later(SAMPLE_EVERY_S, "samples", again)

    def asked(self, ask: "Callable[[executors.Executor], object]") -> None:
        """Ask the executor something for somebody else."""
        self._try(lambda: ask(self._executor()))

    # --- its own -------------------------------------------------------------------------------

    def _interesting(self) -> bool:
        site = self._site
        executor = site.executor
        if executor is None or not self._configured:
            return True
        memory = executor.ledger.memory
        waiting = memory.acked < memory.event_seq
        return bool(self._rest > 0 or memory.running or waiting or site.unfinished())

    def _centre(self) -> Any:
        found = self._site.centre()
        if found is None:
            raise errors.Unavailable("the centre does not answer")
        return found

    def _executor(self) -> "executors.Executor":
        found = self._site.executor
        if found is None:
            raise errors.Unavailable("the executor does not answer")
        return found

    def _try(self, ask: Callable[[], T]) -> T | None:
        """Ask the executor; nothing where it does not answer, or dies answering."""
        try:
            found = ask()
            executor = self._site.executor
            if executor is not None and executor.ledger.failed:
                self._site.kill_executor()
        except Crash as crash:
            crash.die()
            if not self.process.alive:
                raise Crash from None
            return None
        except (errors.SentienGuardError, OSError):
            executor = self._site.executor
            if executor is not None and executor.ledger.failed:
                self._site.kill_executor()
            return None
        return found

    def _backed_off(self, name: str) -> float:
        rest = self._retry[name]
        self._retry[name] = min(rest * 2, LONGEST_RETRY_S)
        return rest

    def _later(self, seconds: float, what: str, act: Callable[[], None]) -> None:
        name = f"{self._site.name} {what}"
        self._site.scheduler.after(seconds, name, act, self.process)
