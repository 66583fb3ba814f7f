"""The couriers: configuration and orders from the centre to the executor, events back.

Called by `agent.collector`, each courier in a thread of its own. None of them judges what it
carries: the executor does, and says why in signed events.

Rules:

1. Nothing is acknowledged to one side before the other side has it. An order that is lost on the
   way is delivered again, an event that is lost is sent again; both sides know doubles by their
   numbers.
2. Either side may be away for any time; a courier waits and tries again.
3. Events are never given up, whatever the centre answers.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from sentienguard.agent import bookmarks, diary, executor_link, sampler, server_pins, uplink
from sentienguard.model import errors

CONFIG_PATH = "/api/v1/config"
ORDERS_PATH = "/api/v1/orders"
EVENTS_PATH = "/api/v1/orders/events"
EVENTS_WAIT_S = 20  # that the executor holds a request for events
LEAST_POLL_S = 1.0  # between two requests for orders that both came back empty
MOST_PAUSE_S = 4.0  # between two tries while a side is away; an order or an event waits meanwhile
_NOT_MODIFIED = 304
_FILES = ("settings_digest", "files_digest", "drift")  # what the executor says of its files


class Courier(Protocol):
    """One way that is walked again and again."""

    name: str  # for the diary

    def carry(self) -> float:
        """Walk once; return the seconds to rest. Raises errors.Unavailable to try again."""


class Refused(errors.Unavailable):
    """The other side answered, but not with what was asked for."""


def run(courier: Courier, told: diary.Diary, stop: threading.Event) -> None:
    """Walk until `stop` is set, with growing pauses while one side is away."""
    backoff = uplink.Backoff(first_s=0.5, most_s=MOST_PAUSE_S)
    while not stop.is_set():
        try:
            rest = courier.carry()
            backoff.worked()
            told.worked(courier.name)
        except Exception as error:  # noqa: BLE001 - rule 2: neither side's answers may end a courier
            if stop.is_set():
                return
            told.failed(courier.name, error)
            rest = backoff.failed()
        stop.wait(rest)


class ConfigCourier:
    """Pulls the root, the catalogue and the playbooks, and hands them to the executor."""

    name = "config"

    def __init__(
        self,
        link: uplink.Uplink,
        executor: executor_link.ExecutorLink,
        sampling: sampler.Sampler,
        *,
        every_s: float,
        servers: server_pins.KnownServers | None = None,
    ) -> None:
        self._uplink = link
        self._executor = executor
        self._sampler = sampling
        self._servers = servers
        self._every_s = every_s
        self._etag = ""

    def carry(self) -> float:
        """Pull once."""
        answer = self._uplink.get(CONFIG_PATH, etag=self._etag)
        if answer.status == _NOT_MODIFIED:
            return self._every_s
        record = _record(answer)
        interval_s = record.get("interval_s")
        if isinstance(interval_s, int | float) and interval_s > 0:
            self._sampler.change_interval(interval_s)
        fields = {key: record.get(key) for key in ("root", "catalogue", "playbooks")}
        fields["roots"] = record.get("roots", [])  # what leads to `root`, for who was away
        said = self._executor.ask("config", **fields)
        if not said.get("accepted"):
            raise Refused(f"the executor refused the configuration: {said.get('reason')}")
        self._etag = answer.headers.get("etag", "")
        if self._servers is not None:
            self._servers.follow(said.get("server_pins", []))
        return self._every_s


class OrderCourier:
    """Asks for work with a fresh ticket of the executor, and hands over what comes."""

    name = "orders"

    def __init__(
        self,
        link: uplink.Uplink,
        executor: executor_link.ExecutorLink,
        marks: bookmarks.Bookmarks,
        told: diary.Diary,
        *,
        wait_s: int,
        confinement: Callable[[], str] = str,
    ) -> None:
        self._uplink = link
        self._executor = executor
        self._marks = marks
        self._diary = told
        self._wait_s = wait_s
        self._confinement = confinement

    def carry(self) -> float:
        """Ask once, for as long as the centre holds the request."""
        began = time.monotonic()
        state = self._executor.ask("hello")
        ticket = self._executor.ask("ticket")
        request = {
            "ticket": {"nonce": ticket["nonce"]},
            "witness": {"checkpoint": ticket.get("checkpoint")},
            "status": {
                "busy": state.get("busy"),
                "frozen": bool(state.get("frozen")),
                "events_through": self._marks.events,
                "confinement": self._confinement(),
                "root_version": state.get("root_version", 0),
                **{name: state.get(name, "") for name in _FILES},
            },
            "tree_size": ticket.get("tree_size", 0),
            "wait_s": self._wait_s,
        }
        answer = self._uplink.post_json(ORDERS_PATH, request, wait_s=self._wait_s)
        record = _record(answer) if answer.body or not answer.ok else {}
        if self._hand_over(record):
            return 0.0
        return max(began + LEAST_POLL_S - time.monotonic(), 0.0)

    def _hand_over(self, record: dict[str, Any]) -> bool:
        """Pass on what came; tell whether it was work."""
        if record.get("checkpoint") is not None:
            self._tell(
                "checkpoint",
                "cosigned",
                checkpoint=record["checkpoint"],
                consistency=record.get("consistency", []),
            )
        if record.get("stop") is not None:
            self._tell("stop", "stopping", envelope=record["stop"])
        if record.get("order") is not None:
            self._tell("order", "admitted", envelope=record["order"])
        return record.get("order") is not None or record.get("stop") is not None

    def _tell(self, operation: str, good: str, **fields: object) -> None:
        said = self._executor.ask(operation, **fields)
        if said.get(good):
            self._diary.worked(f"{operation} taken by the executor")
        else:
            reason = f"{said.get('rule', '')} {said.get('reason', '')}".strip()
            self._diary.failed(f"{operation} taken by the executor", Refused(reason))


class EventCourier:
    """Carries the executor's signed events to the audit log."""

    name = "events"

    def __init__(
        self,
        link: uplink.Uplink,
        executor: executor_link.ExecutorLink,
        marks: bookmarks.Bookmarks,
    ) -> None:
        self._uplink = link
        self._executor = executor
        self._marks = marks

    def carry(self) -> float:
        """Carry what is there, or wait for some."""
        answer = self._executor.ask("events", after=self._marks.events, wait_s=EVENTS_WAIT_S)
        events = answer.get("events")
        if not isinstance(events, list):
            raise Refused(f"the executor answered {ascii(answer)[:80]}, expected events")
        if not events:
            return 0.0
        through = _record(self._uplink.post_json(EVENTS_PATH, {"events": events})).get("through")
        if not isinstance(through, int):
            raise Refused("the centre did not say which events it holds")
        before = self._marks.events
        self._executor.ask("acked", through=through)
        self._marks.keep_events(through)
        if through <= before:
            raise Refused(f"the centre holds events up to {through}, {len(events)} later ones wait")
        return 0.0


def _record(answer: uplink.Answer) -> dict[str, Any]:
    if not answer.ok:
        raise Refused(f"the centre answered {answer.reason()}")
    return answer.json()
