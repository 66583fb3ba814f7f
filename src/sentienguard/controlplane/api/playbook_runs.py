"""Ask for a playbook by its name, on one host."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi import status as http
from pydantic import BaseModel, Field

from sentienguard.controlplane import requested_runs
from sentienguard.controlplane.api import incident_schemas, schemas, views
from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.problems import ProblemError, not_found
from sentienguard.model.access import Permission
from sentienguard.ports.agent_store import Agent

router = APIRouter(prefix="/api/v1/playbooks", tags=["playbooks"])
# Observers reach the handler, so that a denial is recorded with the environment it was tried in.
Asker = Annotated[Caller, Depends(needs(Permission.VIEW))]
CONFLICT: Final[dict[int | str, dict[str, Any]]] = {
    409: {
        "model": schemas.Problem,
        "description": "already-requested: it is asked for on this host already; or the name of "
        "the host is that of several",
    }
}

Value = Annotated[str, Field(min_length=1, max_length=255)]


class RunRequest(BaseModel):
    """Which host, with which parameters, and why."""

    host: str = Field(min_length=1, max_length=253, description="its name, or its agent id")
    parameters: dict[str, Value] = Field(default_factory=dict, max_length=32)
    dry_run: bool = Field(default=False, description="show what it would do, and nothing else")
    note: str = Field(default="", max_length=300, description="why; kept in the audit log")


@router.post("/{name}/runs", status_code=http.HTTP_201_CREATED, responses=CONFLICT)
def ask_for_a_run(name: str, wanted: RunRequest, caller: Asker) -> incident_schemas.IncidentSummary:
    """Open an incident in which this playbook is judged, approved by somebody else, and run.

    Nothing about it is less strict than for what was found: policy, budgets, freeze, maintenance
    and the host's own checks hold, and another person has to approve.
    """
    agent = _agent(caller, wanted.host)
    what = f"run {name[:64]} on {agent.host}"
    caller.require(Permission.RUN_PLAYBOOK, agent.environment, what)
    shelved = caller.centre.library.named(name)
    if shelved is None:
        raise not_found(f"the catalogue has no playbook called {name}")
    title = caller.title_in(agent.environment)
    asker = requested_runs.Asker(caller.user.name, title, caller.address)
    wish = requested_runs.Wish(wanted.parameters, wanted.dry_run, " ".join(wanted.note.split()))
    try:
        opened = requested_runs.open_run(caller.centre, agent, shelved.playbook, wish, asker)
    except requested_runs.AlreadyRequested as cause:
        raise ProblemError(HTTPStatus.CONFLICT, "already-requested", str(cause)) from cause
    return views.summary(opened)


def _agent(caller: Caller, host: str) -> Agent:
    """Return the enrolled host that is meant, among those that the caller may see."""
    found = [
        one
        for one in caller.centre.agents.list()
        if caller.may(Permission.VIEW, one.environment)
        and (one.id == host or one.host.casefold() == host.casefold())
    ]
    if not found:
        raise not_found(f"no enrolled host is called {host}")
    if len(found) > 1:
        listed = ", ".join(f"{one.id} in {one.environment}" for one in found[:5])
        detail = f"{len(found)} hosts are called {host}: name one by its agent id: {listed}"
        raise ProblemError(HTTPStatus.CONFLICT, "ambiguous-host", detail)
    return found[0]
