"""Drills: which there are, what came of them, and running one where the owner allows it.

A drill puts a real, bounded fault on the machine of the control plane. So it runs from here only
with the setting `drills: on`, for who may run drills in every environment, with a fresh second
factor, and the log remembers who asked (`drill.injected`).
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Path
from fastapi import status as http
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sentienguard.controlplane import errands
from sentienguard.controlplane.api.backtests import StateName
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.drill_reports import DrillReports
from sentienguard.controlplane.errands import Errand, Errands, Kind
from sentienguard.controlplane.problems import ProblemError, not_found
from sentienguard.model import errors
from sentienguard.model.access import Permission

router = APIRouter(prefix="/api/v1/drills", tags=["drills"])
Viewer = Annotated[Caller, Depends(needs(Permission.VIEW))]
Runner = Annotated[Caller, Depends(needs(Permission.RUN_DRILL, everywhere=True, fresh=True))]
DrillName = Annotated[str, Path(max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Part = TypeVar("Part", bound="FromReport")
RunId = Annotated[str, Path(max_length=64, pattern=r"^drl_[0-9a-z_]+$")]


class FromReport(BaseModel):
    """A part of a result; what a later release adds is left out here."""

    model_config = ConfigDict(extra="ignore")


class DrillCheck(FromReport):
    """One thing that was looked at after a drill."""

    name: str
    passed: bool
    detail: str


class DrillCase(FromReport):
    """What came of a drill when it ran last."""

    passed: bool
    bed: str | None = None
    ended: str | None = Field(default=None, description="outcome of its incident")
    playbook: str | None = None
    unattended: bool | None = None
    noticed_s: float | None = Field(default=None, description="from fault to incident")
    seconds: float | None = Field(default=None, description="from fault to verified fix")
    harmed: list[str] = []
    checks: list[DrillCheck] = []
    trouble: str = Field(default="", description="why nothing can be learnt from it")
    started: datetime | None = None


class DrillView(BaseModel):
    """One drill."""

    name: str
    kind: Literal["fault", "decoy"]
    beds: list[str]
    description: str
    expected: str
    last: DrillCase | None = Field(description="null: it has not run in this data directory")


class DrillTotals(FromReport):
    """The numbers of the newest report of all drills."""

    drills: int
    passed: int
    not_run: int
    faults: int
    decoys: int
    unattended: int
    unattended_of: int
    harmful: int
    decoys_right: int
    rollbacks: int
    rollbacks_restored: int
    wrong_playbook: int
    escalations: int
    escalations_right: int
    noticed_median_s: float | None
    fixed_median_s: float | None
    fixed_p90_s: float | None


class DrillRun(BaseModel):
    """A drill that somebody asked for here."""

    id: str
    drill: str
    state: StateName
    by: str
    asked_at: datetime
    ended_at: datetime | None
    doing: str
    detail: str = Field(description="why it failed, or who stopped it")
    passed: bool | None = Field(description="null: it is not done")
    seconds: float | None
    checks: list[DrillCheck]


class DrillList(BaseModel):
    """All drills, by name."""

    items: list[DrillView]
    totals: DrillTotals | None = Field(description="null: `drill run-all` was not run here")
    totals_at: datetime | None
    allowed: bool = Field(description="the owner lets drills run from here")
    runs: list[DrillRun] = Field(description="asked for here, newest first")


@router.get("")
def list_drills(caller: Viewer) -> DrillList:
    """List the drills, what came of each here, and the numbers of all together."""
    desk, reports = _desk(caller), _reports(caller)
    report = reports.report()
    return DrillList(
        items=[
            DrillView(
                name=one["name"],
                kind=one["kind"],
                beds=one["beds"],
                description=one["description"],
                expected=one["expected"],
                last=_case(reports.case(one["name"])),
            )
            for one in reports.definitions()
        ],
        totals=_read(DrillTotals, report.get("totals")),
        totals_at=report.get("at"),
        allowed=caller.centre.settings.drills == "on",
        runs=[_run(desk, one) for one in desk.list(Kind.DRILL)],
    )


@router.post("/{name}/runs", status_code=http.HTTP_202_ACCEPTED)
def run(name: DrillName, caller: Runner) -> DrillRun:
    """Put the fault of one drill on this machine and watch it being fixed."""
    centre, desk, reports = caller.centre, _desk(caller), _reports(caller)
    if centre.settings.drills != "on":
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "drills-off",
            f"drills do not run from here; run `sentienguard drill run {name}` on the machine, or "
            "set `drills: on` and restart",
        )
    if all(one["name"] != name for one in reports.definitions()):
        raise not_found(f"no drill is called {name}")
    centre.audit.append(
        kind="drill.injected",
        env="",
        actor=caller.user.name,
        data={"drill": name, "ip_address": caller.address},
    )
    words = ["drill", "run", name, f"--data={reports.data}"]
    return _run(desk, desk.ask(Kind.DRILL, words, {"drill": name}, caller.user.name))


@router.delete("/runs/{run_id}", status_code=http.HTTP_204_NO_CONTENT)
def end(run_id: RunId, caller: Runner) -> None:
    """Stop one that waits or runs, which takes its fault away; forget one that has ended."""
    _desk(caller).end(Kind.DRILL, run_id, caller.user.name)


def _desk(caller: Caller) -> Errands:
    if caller.centre.errands is None:
        raise errors.Unavailable("this control plane runs no drills")
    return caller.centre.errands


def _reports(caller: Caller) -> DrillReports:
    if caller.centre.drills is None:
        raise errors.Unavailable("this control plane knows no drills")
    return caller.centre.drills


def _run(desk: Errands, one: Errand) -> DrillRun:
    found: Mapping[str, Any] = desk.answer(one) if one.state is errands.State.DONE else {}
    seconds = found.get("seconds")
    return DrillRun(
        id=one.id,
        drill=one.asked["drill"],
        state=one.state.value,
        by=one.by,
        asked_at=one.asked_at,
        ended_at=one.ended_at,
        doing=desk.progress(one).doing,
        detail=one.detail,
        passed=bool(found.get("passed")) if found else None,
        seconds=None if seconds is None else float(seconds),
        checks=[DrillCheck.model_validate(check) for check in found.get("checks", [])],
    )


def _case(found: Mapping[str, Any]) -> DrillCase | None:
    return _read(DrillCase, found or None)


def _read(kind: type[Part], found: object) -> Part | None:
    """Return a part of a file; None where it is not there or of another release."""
    try:
        return None if found is None else kind.model_validate(found)
    except ValidationError:
        return None
