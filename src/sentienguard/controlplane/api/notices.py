"""How people are told of incidents: channels, what was sent, a test; who is who in chats."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi import status as http
from pydantic import BaseModel, Field

from sentienguard.controlplane.api.caller import Caller, needs
from sentienguard.controlplane.notice_desk import NoSuchChannel, NoticeDesk, Telling
from sentienguard.flow.telling import letters
from sentienguard.model.access import Permission
from sentienguard.ports.chat_identities import ChatIdentity

router = APIRouter(prefix="/api/v1", tags=["notices"])
Setter = Annotated[Caller, Depends(needs(Permission.CHANGE_SETTINGS, everywhere=True))]
# A link lets somebody answer from a chat as that account, so it takes the right to make accounts.
Manager = Annotated[Caller, Depends(needs(Permission.MANAGE_USERS, everywhere=True, fresh=True))]
NAME = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+$")


class ChannelView(BaseModel):
    """One place where people hear of incidents."""

    name: str
    kind: str = Field(description="slack, pagerduty, email, webhook, teams, mattermost or jira")


class ChannelList(BaseModel):
    """The channels of the owner's file."""

    items: list[ChannelView]


class NoticeView(BaseModel):
    """One message and what became of it."""

    id: str
    channel: str
    incident: str
    kind: str
    title: str
    status: str
    attempts: int
    problem: str
    made_at: datetime
    due_at: datetime
    ended_at: datetime | None
    only_if_unanswered: bool


class NoticeList(BaseModel):
    """Messages, newest first."""

    items: list[NoticeView]


class IdentityRequest(BaseModel):
    """Which person of a chat service has which account."""

    service: str = Field(pattern="^(slack|pagerduty)$")
    team: str = NAME
    person: str = NAME
    account: str = Field(min_length=1, max_length=200)


class IdentityView(IdentityRequest):
    """One link."""

    made_by: str
    made_at: datetime


class IdentityList(BaseModel):
    """All links."""

    items: list[IdentityView]


@router.get("/notices/channels")
def list_channels(caller: Setter, request: Request) -> ChannelList:  # noqa: ARG001 - guards
    """List the channels that are configured."""
    desk = _desk(request)
    found = [] if desk is None else desk.channels.values()
    return ChannelList(items=[ChannelView(name=one.name, kind=one.kind) for one in found])


@router.post("/notices/channels/{name}/test", status_code=http.HTTP_204_NO_CONTENT)
def try_channel(name: str, caller: Setter, request: Request) -> None:
    """Send a test message through a channel now."""
    desk = _desk(request)
    if desk is None:
        message = "no channel is defined; see docs/how-to/tell-people.md"
        raise NoSuchChannel(message)
    desk.try_channel(name, caller.user.name)


@router.get("/notices")
def list_notices(caller: Setter, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> NoticeList:
    """List what people were told, newest first."""
    return NoticeList(
        items=[
            NoticeView(
                id=one.id,
                channel=one.channel,
                incident=one.incident,
                kind=one.kind,
                title=letters.read(one.text).title,
                status=one.status.value,
                attempts=one.attempts,
                problem=one.problem,
                made_at=one.made_at,
                due_at=one.due_at,
                ended_at=one.ended_at,
                only_if_unanswered=one.unanswered,
            )
            for one in caller.centre.outbox.list(limit=limit)
        ]
    )


@router.get("/chat-identities")
def list_identities(caller: Manager) -> IdentityList:
    """List which person of a chat service has which account."""
    return IdentityList(items=[_identity(one) for one in caller.centre.chat.list()])


@router.put("/chat-identities")
def link_identity(wanted: IdentityRequest, caller: Manager) -> IdentityView:
    """Let a person of a chat service answer as an account; another link of theirs is replaced."""
    centre = caller.centre
    user = centre.users.get(wanted.account)
    made = ChatIdentity(
        service=wanted.service,
        team=wanted.team,
        person=wanted.person,
        account=user.name,
        made_by=caller.user.name,
        made_at=centre.clock.now(),
    )
    _record(caller, "chat.linked", made)
    centre.chat.link(made)
    return _identity(made)


@router.delete("/chat-identities/{service}/{team}/{person}", status_code=http.HTTP_204_NO_CONTENT)
def unlink_identity(service: str, team: str, person: str, caller: Manager) -> None:
    """Take a link away; effective on the next click."""
    account = caller.centre.chat.account(service, team, person)
    now = caller.centre.clock.now()
    taken = ChatIdentity(service, team, person, account, caller.user.name, now)
    caller.centre.chat.unlink(service, team, person)
    _record(caller, "chat.unlinked", taken)


def _desk(request: Request) -> NoticeDesk | None:
    told: Telling | None = getattr(request.app.state, "told", None)
    return told.desk if told else None


def _identity(one: ChatIdentity) -> IdentityView:
    return IdentityView(
        service=one.service,
        team=one.team,
        person=one.person,
        account=one.account,
        made_by=one.made_by,
        made_at=one.made_at,
    )


def _record(caller: Caller, kind: str, about: ChatIdentity) -> None:
    caller.centre.audit.append(
        kind=kind,
        env="",
        actor=caller.user.name,
        data={
            "service": about.service,
            "team": about.team,
            "person": about.person,
            "account": about.account,
            "ip_address": caller.address,
        },
    )
