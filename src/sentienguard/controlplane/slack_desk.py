"""What people do in Slack: their clicks and commands, by signed HTTP or by a socket.

Made by `app.py` where a Slack channel is configured. By HTTP it stands before the people's
application at `PATH`, as the webhooks of alerts do; by a socket nothing listens at all. Rules:

1. By HTTP the body has to be signed with the channel's secret within five minutes, or 401 before it
   is looked into. What came over a socket came from where our own token opened it.
2. Slack gives three seconds: it is answered at once, and what is to be said follows as a message
   that the person alone sees.
3. A click that comes twice changes nothing the second time: a question is answered once.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from sentienguard.controlplane import bodies, chat_answers
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model import errors
from sentienguard.model.access import User
from sentienguard.ports.notifier import NotNow, NotTaken, Whisper, Whisperer
from sentienguard.stages.observe import slack_clicks
from sentienguard.trust import webhook_signatures

log = logging.getLogger(__name__)
PATH: Final = "/api/v1/webhooks/slack"
SERVICE: Final = "slack"
MAX_BODY_BYTES: Final = 256 * 1024
Ask = Callable[[str, User], str]


@dataclass(frozen=True, slots=True)
class Space:
    """One workspace whose people may answer."""

    team: str
    signing_secret: str  # empty: no clicks by HTTP
    whisperer: Whisperer


class SlackDesk:
    """Takes clicks and commands of the configured workspaces."""

    def __init__(self, centre: Centre, spaces: Sequence[Space], base: str, ask: Ask) -> None:
        """Answer for these workspaces; `ask` answers a question about incidents for a person."""
        self._centre = centre
        self._spaces: Mapping[str, Space] = {one.team: one for one in spaces}
        self._secrets = [one.signing_secret for one in spaces if one.signing_secret]
        self._base = base.rstrip("/")
        self._ask = ask
        self._bodies = bodies.Bodies(MAX_BODY_BYTES)
        self._whispers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="slack")

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return the application with this door before it."""

        async def door(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] != PATH or not self._secrets:
                await app(scope, receive, send)
                return
            try:
                said = await self._accept(scope, receive)
            except ProblemError as problem:
                await bodies.refuse(problem, scope, receive, send)
                return
            await bodies.answer(send, HTTPStatus.OK, said)

        return door

    def close(self) -> None:
        """Say what is still to be said, and end."""
        self._whispers.shutdown(wait=True, cancel_futures=True)

    def payload(self, envelope: Mapping[str, Any]) -> str:
        """Take what came over a socket; return the text that answers a command, else nothing."""
        found = envelope.get("payload")
        try:
            match envelope.get("type"):
                case "interactive":
                    self._take(slack_clicks.from_payload(found))
                case "slash_commands":
                    return self._command(slack_clicks.command(found))
                case _:
                    log.info("slack: %.40s is nothing that is answered", envelope.get("type"))
        except slack_clicks.NotAClick as cause:
            log.warning("%s", cause)
        return ""

    async def _accept(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        if scope["method"] != "POST":
            raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "expected POST")
        body = await self._bodies.read(headers, receive)
        try:
            webhook_signatures.require_slack(  # rule 1
                bodies.text(headers, b"x-slack-signature"),
                bodies.text(headers, b"x-slack-request-timestamp"),
                body,
                self._secrets,
                now=self._centre.clock.now(),
            )
        except webhook_signatures.NotSigned as cause:
            self._centre.counters.add("access_denied_total", "webhook_signature")
            raise ProblemError(HTTPStatus.UNAUTHORIZED, "not-signed", str(cause)) from cause
        try:
            found = slack_clicks.from_form(body)
        except slack_clicks.NotAClick as cause:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed", str(cause)[:300]) from cause
        if isinstance(found, slack_clicks.Command):
            return (await run_in_threadpool(self._command, found)).encode()
        await run_in_threadpool(self._take, found)
        return b""

    def _take(self, click: slack_clicks.Click | None) -> None:
        if click is None:
            return
        space = self._spaces.get(click.team)
        if space is None:
            log.warning("slack: a click from workspace %a, which no channel names", click.team[:40])
            self._centre.counters.add("access_denied_total", "slack_workspace")
            return
        person = chat_answers.Person(SERVICE, click.team, click.person)
        page = f"{self._base}/approvals" if self._base else ""
        pressed = chat_answers.Pressed(click.action, click.approval, click.digest)
        text = chat_answers.answer(self._centre, person, pressed, page)
        at = self._centre.clock.now()
        whisper = Whisper(click.channel, click.person, text, at)
        self._whispers.submit(_say, space.whisperer, whisper)  # rule 2

    def _command(self, command: slack_clicks.Command) -> str:
        if command.team not in self._spaces:
            return "This workspace is not known here."
        person = chat_answers.Person(SERVICE, command.team, command.person)
        user = chat_answers.account(self._centre, person)
        if user is None:
            return (
                f"Your user {command.person} of workspace {command.team} is linked to no account "
                "here; ask an administrator to link it."
            )
        question = command.text.removeprefix("ask").strip()
        try:
            return self._ask(question, user)
        except errors.SentienGuardError as cause:
            return f"{cause}"


def _say(whisperer: Whisperer, whisper: Whisper) -> None:
    try:
        whisperer.whisper(whisper)
    except (NotNow, NotTaken) as cause:
        log.warning("slack: a person was not told what became of their click: %s", cause)
