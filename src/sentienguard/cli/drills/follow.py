"""Run one drill: from a calm sandbox to a closed incident and a verified audit log.

Called by the commands `drill` and `demo`. What it knows of the product comes through the public
API, as any client sees it.

    calm -> fault -> incident -> closed -> audit log verified -> sandbox looked at -> cleaned up
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sentienguard
from sentienguard.cli import client, private_files
from sentienguard.cli.drills import drill, library, scoring, screen, story
from sentienguard.cli.installation import centre, host_agent, up
from sentienguard.model import errors

POLL_S = 0.2
CALM_READINGS = 3  # in a row, so that a symptom of the drill before has been cleared
CALM_S = 90.0
NOTICE_S = 60.0  # and some sampling intervals, for the incident to be opened
CLOSE_S = 420.0  # as long as an order's delivery, its deadline and its verification may take
VERIFIER_S = 60.0


class TookTooLong(errors.Unavailable):
    """Something that a drill waits for did not come."""


@dataclass(frozen=True, slots=True)
class Run:
    """One drill on one running installation."""

    chosen: library.Chosen
    running: up.Running
    asked: client.Client
    shown: screen.Lines
    ask_person: bool  # true: leave approvals to a person

    def perform(self) -> scoring.Result:
        """Do it, and leave the sandbox whole.

        Raises errors of the API, TookTooLong and NotInjected.
        """
        sandbox = self.running.sandbox
        if sandbox is None:
            raise errors.Rejected(
                f"{self.running.places.data} has no sandbox to break; `sentienguard up --drills "
                "--data .try` makes an installation with one"
            )
        fault = self.chosen.maker(sandbox, **self.chosen.parameters)
        self.shown.wait("waiting for a calm sandbox")
        for made in library.DRILLS.values():  # also what a drill left that was killed
            made(sandbox).clean_up()
        self._wait_for_calm(fault.symptom)
        try:
            return self._measured(fault)
        finally:
            fault.clean_up()

    def _measured(self, fault: drill.Drill) -> scoring.Result:
        injected_at = datetime.now(UTC)
        done = fault.inject()
        if not fault.is_present():
            raise drill.NotInjected(
                f"{fault.name}: the fault is not there after it was injected; look at "
                f"{self.running.places.sandbox}"
            )
        before = dict(fault.facts())
        self.shown.tell(story.Line("injected", injected_at, "drill", f"fault: {done}"))
        told = self._follow(fault.symptom, injected_at)
        gone = fault.is_gone()
        invariants = drill.compare(before, fault.facts())
        audit = self._verify_audit()
        closed_at = datetime.fromisoformat(told["incident"]["closed_at"])
        incident = str(told["incident"]["id"])
        decision = told["decision"] or {}
        return scoring.Result(
            drill=fault.name,
            incident=incident,
            outcome=str(told["incident"]["outcome"]),
            playbook=str(decision.get("playbook") or ""),
            expected=fault.expected.sentence,
            checks=scoring.judge(fault.expected, told, invariants, audit, gone=gone),
            timings=tuple(story.timings(told, injected_at)),
            seconds=(closed_at - injected_at).total_seconds(),
            page=f"{self.asked.server}/incidents/{incident}",
            record=str(self._keep_record(incident)),
        )

    def _wait_for_calm(self, symptom: drill.Symptom) -> None:
        """Wait until the product sees nothing wrong there: else it notices nothing new."""
        agent = host_agent.settings(self.running.places).agent_id
        until = time.monotonic() + CALM_S + CALM_READINGS * self.running.interval_s
        began = datetime.now(UTC)
        while not self._is_calm(agent, symptom, began):
            if time.monotonic() > until:
                raise TookTooLong(
                    f"{story.series_name(symptom.metric, symptom.subject)} does not become normal; "
                    "`sentienguard incidents list` and `sentienguard doctor` say more"
                )
            time.sleep(POLL_S)

    def _is_calm(self, agent: str, symptom: drill.Symptom, began: datetime) -> bool:
        series = self.asked.get(
            f"/hosts/{agent}/series", metric=symptom.metric, subject=symptom.subject, minutes=5
        )
        values = [value for at, value in series["points"] if datetime.fromisoformat(at) >= began]
        if len(values) < CALM_READINGS:
            return False
        standing = self.asked.get("/incidents", limit=50)["items"]
        return all(_normal(symptom, value) for value in values[-CALM_READINGS:]) and not any(
            _is_about(one, symptom) and one["status"] != "CLOSED" for one in standing
        )

    def _follow(self, symptom: drill.Symptom, since: datetime) -> dict[str, Any]:
        """Tell the incident's story until it is closed, and return it."""
        self.shown.wait("waiting for the next sample to be judged")
        incident = self._incident(symptom, since)
        until = time.monotonic() + CLOSE_S
        while True:
            told: dict[str, Any] = self.asked.get(f"/incidents/{incident}")
            for line in story.lines(told):
                self.shown.tell(line)
            if told["incident"]["status"] == "CLOSED":
                return told
            self.shown.wait(str(told["incident"]["summary"]) or "working")
            self._answer(told)
            if time.monotonic() > until:
                raise TookTooLong(
                    f"{incident} is still {told['incident']['status']} after {CLOSE_S:.0f} s; "
                    f"look at it with `sentienguard incidents show {incident}`"
                )
            time.sleep(POLL_S)

    def _incident(self, symptom: drill.Symptom, since: datetime) -> str:
        until = time.monotonic() + NOTICE_S + 5 * self.running.interval_s
        while time.monotonic() < until:
            for one in self.asked.get("/incidents", limit=50)["items"]:
                if _is_about(one, symptom) and datetime.fromisoformat(one["opened_at"]) >= since:
                    return str(one["id"])
            time.sleep(POLL_S)
        raise TookTooLong(
            "the fault is there and no incident was opened; `sentienguard doctor` checks whether "
            f"samples arrive, the logs are in {self.running.places.logs}"
        )

    def _answer(self, told: Mapping[str, Any]) -> None:
        """Answer a question to people, unless a person wants to do that."""
        approval = told["approval"]
        if approval is None or approval["status"] != "pending":
            return
        now = datetime.now(UTC)
        question = f"a person is asked: {approval['question']}"
        self.shown.tell(story.Line(f"asked {approval['id']}", now, "decide", question))
        if self.ask_person:
            self.shown.wait(f"answer with: sentienguard approvals approve {approval['id']}")
            return
        note = {"note": "approved by the drill; --ask leaves it to a person"}
        self.asked.post(f"/approvals/{approval['id']}/approve", note)

    def _verify_audit(self) -> tuple[scoring.Check, ...]:
        self.shown.wait("verifying the audit log")
        found = self.asked.post("/audit/verify")
        failed = [
            f"{one['check']}: {one['detail']}" for one in found["findings"] if not one["passed"]
        ]
        detail = "; ".join(failed) or (
            f"{found['entries']} entries verified in {found['seconds'] * 1000:.0f} ms"
        )
        checks = [scoring.Check("audit log", bool(found["passed"]), detail)]
        with centre.audit_files(self.running.places) as files:
            alone = stand_alone(files)
        if alone is not None:
            checks.append(alone)
        for check in checks:
            tone = "good" if check.passed else "bad"
            text = f"{check.name}: {check.detail}"
            self.shown.tell(story.Line(check.name, datetime.now(UTC), "audit", text, tone))
        return tuple(checks)

    def _keep_record(self, incident: str) -> Path:
        record = self.asked.get(f"/incidents/{incident}/record")
        path = self.running.places.records / f"{incident}.json"
        content = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
        private_files.write(path, content.encode())
        return path


def stand_alone(log: Path) -> scoring.Check | None:
    """Have the one-file verifier, which shares no code with us, check the log; None without it."""
    tool = Path(sentienguard.__file__).resolve().parents[2] / "tools/verify_audit_log.py"
    if not tool.is_file():
        return None
    name = "stand-alone verifier"
    try:
        done = subprocess.run(  # noqa: S603  # argv written here, no shell
            [sys.executable, "-I", str(tool), str(log), "--live", "--json"],
            capture_output=True,
            text=True,
            timeout=VERIFIER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return scoring.Check(name, passed=False, detail=str(error))
    if done.returncode == 0:
        return scoring.Check(name, passed=True, detail="it agrees, with no code of ours")
    said = (done.stderr or done.stdout).strip().splitlines()
    return scoring.Check(name, passed=False, detail=said[-1] if said else "it says no")


def _normal(symptom: drill.Symptom, value: float) -> bool:
    if symptom.metric == "service.healthy":
        return value == 1
    return value < 85.0  # noqa: PLR2004  # where bundled playbooks begin to act on a volume


def _is_about(incident: Mapping[str, Any], symptom: drill.Symptom) -> bool:
    return bool(incident["metric"] == symptom.metric and incident["subject"] == symptom.subject)
