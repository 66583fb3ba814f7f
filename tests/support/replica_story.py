"""An incident of a pretend host, told to whichever replica a test chooses.

story = replica_story.Story(a.enrol("web-1", "staging"))
story.fill(a)
question = story.question(b)
...
story.closed(b)
"""

import time
from collections.abc import Callable
from typing import Any

import httpx

from sentienguard.model.order import ExecutionOutcome
from tests.support import replica_set
from tests.support.centre_process import Centre, Host

WITHIN_S = 30.0
LOGIN_SERVES_S = 600.0  # its token lasts 15 minutes; long searches take longer
CALM = {("system.cpu_percent", ""): 3.0, ("system.disk_usage_percent", "/srv"): 40.0}
FULL = {**CALM, ("system.disk_usage_percent", "/srv"): 98.0}


_clients: dict[str, tuple[httpx.Client, float]] = {}  # by address, and when each logged in


class Story:
    """One host and the incident of its full disk."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.incident = ""

    def speak(self, centre: Centre) -> Host:
        """Return the host as it speaks to this replica from now on."""
        if self._host.centre is not centre:
            self._host = replica_set.at(self._host, centre)
        return self._host

    def calm(self, centre: Centre) -> None:
        """Send a healthy sample."""
        assert self.speak(centre).push(CALM).status_code == 204

    def fill(self, centre: Centre) -> None:
        """Fill the disk: the incident that follows is this story's."""
        self.calm(centre)
        assert self.speak(centre).push(FULL).status_code == 204

    def about(self, centre: Centre) -> dict[str, Any]:
        """Return what this replica tells of the incident."""
        admin = administrator(centre)
        if not self.incident:
            found = admin.get("/api/v1/incidents", params={"host": self._host.host}).json()
            self.incident = found["items"][0]["id"]
        return dict(admin.get(f"/api/v1/incidents/{self.incident}").json())

    def question(self, centre: Centre) -> dict[str, Any]:
        """Wait for the question to people."""

        def asked() -> dict[str, Any] | None:
            found = self.about(centre)
            waits = found["incident"]["status"] == "AWAITING_APPROVAL" and found["approval"]
            return dict(found["approval"]) if waits else None

        return until(asked, "a question")

    def approve(self, centre: Centre) -> httpx.Response:
        """Say yes."""
        question = self.about(centre)["approval"]
        admin = administrator(centre)
        return admin.post(f"/api/v1/approvals/{question['id']}/approve", json={"note": "yes"})

    def order(self, centre: Centre) -> dict[str, Any]:
        """Poll until an order comes."""
        return until(lambda: self.speak(centre).poll()["order"], "an order")

    def finish(self, centre: Centre) -> None:
        """Report that the order ran well, and that the disk is free again."""
        host, about = self.speak(centre), self.about(centre)
        data = {"order_id": about["order"]["id"]}
        done = {
            "outcome": ExecutionOutcome.SUCCESS.value,
            "reason": "verified",
            "started_ms": 1,
            "finished_ms": 2,
        }
        answer = host.report(
            host.event("order.admitted", self.incident, data),
            host.event("order.finished", self.incident, {**data, **done}),
        )
        assert answer.status_code == 200, answer.text
        self.calm(centre)

    def closed(self, centre: Centre, within_s: float = WITHIN_S) -> dict[str, Any]:
        """Wait for the end, sending healthy samples meanwhile; return the whole story."""

        def ended() -> dict[str, Any] | None:
            found = self.about(centre)
            if found["incident"]["status"] == "CLOSED":
                return found
            self.calm(centre)
            return None

        return until(ended, "the end of the incident", within_s)

    def count(self, centre: Centre, kind: str) -> int:
        """Count entries of a kind in the log."""
        return sum(fact["kind"] == kind for fact in self.about(centre)["timeline"])


def administrator(centre: Centre) -> httpx.Client:
    """Return a client of this replica; people log in once, at whichever replica, for all of them.

    A login costs a tenth of a second on purpose, and looking for something asks often.
    """
    found, since = _clients.get(centre.people, (None, 0.0))
    if found is None or found.is_closed or time.monotonic() - since > LOGIN_SERVES_S:
        found = centre.login(replica_set.ADMINISTRATOR)
        _clients[centre.people] = found, time.monotonic()
    return found


def until(look: Callable[[], Any], what: str, within_s: float = WITHIN_S) -> Any:
    """Look again until there is something, and return it."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"there was never {what}"
        time.sleep(0.05)
    return found
