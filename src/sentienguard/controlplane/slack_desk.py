"""What people do in Slack: their clicks and commands, by signed HTTP or by a socket.

Made by `app.py` where a Slack channel is configured. By HTTP it stands before the people's
application at `PATH`, as the webhooks of alerts do; by a socket nothing listens at all. Rules:

1. By HTTP the body has to be signed with the channel's secret within five minutes, or 401 before it
   is looked into. What came over a socket came from where our own token opened it.
2. Slack gives three seconds: it is answered at once, and what is to be said follows as a message
   that the person alone sees. So it is with a question that a model looks into (late_answers).
3. A click that comes twice changes nothing the second time: a question is answered once.
4. A no says why: whoever may say it is shown a form. Where none can be shown, they are told where
   the dashboard asks for the reason. What comes back in the form is judged like a click.
5. What is said is runs of text that the service's own module writes, so that nothing a host said
   becomes a mention or a link.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from sentienguard.controlplane import bodies, chat_answers, late_answers
from sentienguard.controlplane.centre import Centre
from sentienguard.controlplane.late_answers import Asking, LateAnswers
from sentienguard.controlplane.problems import ProblemError
from sentienguard.model import errors
from sentienguard.model.access import User
from sentienguard.ports.notifier import Form, NotNow, NotTaken, Run, Whisper, Whisperer
from sentienguard.stages.observe import slack_clicks
from sentienguard.trust import webhook_signatures

log = logging.getLogger(__name__)
PATH: Final = "/api/v1/webhooks/slack"
SERVICE: Final = "slack"
DENY: Final = "deny"
MAX_BODY_BYTES: Final = 256 * 1024
LOOKING: Final = "Looking at the record… The answer follows here."
FULL: Final = "Too many questions wait for their answers. Ask again in a minute."
Answer = Mapping[str, Any]  # the document that Slack gets back; empty: nothing to say


@dataclass(frozen=True, slots=True)
class Space:
    """One workspace whose people may answer."""

    team: str
    signing_secret: Callable[[], str] | None  # fetches it; None: no clicks by HTTP
    whisperer: Whisperer


class SlackDesk:
    """Takes clicks and commands of the configured workspaces."""

    def __init__(
        self, centre: Centre, spaces: Sequence[Space], base: str, asking: Asking, place: Path
    ) -> None:
        """Answer for these workspaces; what is answered late is kept in `place` until then."""
        self._centre = centre
        self._spaces: Mapping[str, Space] = {one.team: one for one in spaces}
        self._secrets = [one.signing_secret for one in spaces if one.signing_secret]
        self._base = base.rstrip("/")
        self._asking = asking
        whisperers = {one.team: one.whisperer for one in spaces}
        self._late = LateAnswers(centre, SERVICE, whisperers, asking, place)
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

    def start(self) -> None:
        """Begin to answer late, first what was left when the process ended."""
        self._late.start()

    def close(self) -> None:
        """Say what is still to be said, and end."""
        self._late.close()
        self._whispers.shutdown(wait=True, cancel_futures=True)

    def payload(self, envelope: Mapping[str, Any]) -> Answer:
        """Take what came over a socket; return what answers it, or nothing."""
        found = envelope.get("payload")
        try:
            match envelope.get("type"):
                case "interactive":
                    return self._take(slack_clicks.from_payload(found))
                case "slash_commands":
                    return self._command(slack_clicks.command(found))
                case _:
                    log.info("slack: %.40s is nothing that is answered", envelope.get("type"))
        except slack_clicks.NotAClick as cause:
            log.warning("%s", cause)
        return {}

    def _signing(self) -> list[str]:
        """Return what a body may be signed with; without any of it nothing is signed rightly."""
        found = []
        for one in self._secrets:
            try:
                found.append(one())
            except NotNow as cause:
                log.warning("slack: a signature cannot be judged: %s", cause)
        return found

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
                await run_in_threadpool(self._signing),
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
            said = await run_in_threadpool(self._command, found)
        else:
            said = await run_in_threadpool(self._take, found)
        return json.dumps(said, ensure_ascii=False).encode() if said else b""

    def _take(self, found: slack_clicks.Click | slack_clicks.Reason | None) -> Answer:
        if found is None:
            return {}
        space = self._spaces.get(found.team)
        if space is None:
            log.warning("slack: a click from workspace %a, which no channel names", found.team[:40])
            self._centre.counters.add("access_denied_total", "slack_workspace")
            return {}
        person = chat_answers.Person(SERVICE, found.team, found.person)
        if isinstance(found, slack_clicks.Reason):
            return self._reason(space, person, found)
        if found.action == DENY:
            self._deny(space, person, found)
        else:
            pressed = chat_answers.Pressed(found.action, found.approval, found.digest)
            self._answer(space, person, pressed, found.channel)
        return {}

    def _answer(
        self, space: Space, person: chat_answers.Person, pressed: chat_answers.Pressed, channel: str
    ) -> None:
        page = f"{self._base}/approvals" if self._base else ""
        said = chat_answers.answer(self._centre, person, pressed, page)
        self._whispers.submit(_say, space.whisperer, self._whisper(channel, person, Run(said)))

    def _whisper(self, channel: str, person: chat_answers.Person, *said: Run) -> Whisper:
        return Whisper(channel, person.person, said, self._centre.clock.now())

    def _deny(self, space: Space, person: chat_answers.Person, click: slack_clicks.Click) -> None:
        """Ask somebody who may say no for the reason (rule 4)."""
        pressed = chat_answers.Pressed(click.action, click.approval, click.digest)
        judged = chat_answers.judge(self._centre, person, pressed)
        if isinstance(judged, str):
            whisper = self._whisper(click.channel, person, Run(judged))
            self._whispers.submit(_say, space.whisperer, whisper)
            return
        asked = judged.asked
        about = f"Deny {asked.playbook} for {asked.incident}"
        form = Form(click.trigger, about, slack_clicks.kept(click), self._centre.clock.now())
        page = f"{self._base}/incidents/{asked.incident}" if self._base else ""
        otherwise = self._whisper(
            click.channel,
            person,
            Run(f"{chat_answers.NEEDS_REASON}. The dashboard asks for it: "),
            Run(page or f"the page of {asked.incident}", page),
        )
        self._whispers.submit(_ask_why, space.whisperer, form, otherwise)

    def _reason(
        self, space: Space, person: chat_answers.Person, found: slack_clicks.Reason
    ) -> Answer:
        if not found.text:
            return space.whisperer.wrong(f"{chat_answers.NEEDS_REASON}.")
        pressed = chat_answers.Pressed(DENY, found.approval, found.digest, found.text)
        self._answer(space, person, pressed, found.channel)
        return {}

    def _command(self, command: slack_clicks.Command) -> Answer:
        space = self._spaces.get(command.team)
        if space is None:
            return {"response_type": "ephemeral", "text": "This workspace is not known here."}
        person = chat_answers.Person(SERVICE, command.team, command.person)
        user = chat_answers.account(self._centre, person)
        if user is None:
            unknown = (
                f"Your user {command.person} of workspace {command.team} is linked to no account "
                "here; ask an administrator to link it."
            )
            return space.whisperer.answer([Run(unknown)])
        question = command.text.removeprefix("ask").strip()
        try:
            said = self._put_off(space, command, question, user)
            return space.whisperer.answer(said or self._asking.at_once(question, user))
        except errors.SentienGuardError as cause:
            return space.whisperer.answer([Run(f"{cause}")])

    def _put_off(
        self, space: Space, command: slack_clicks.Command, question: str, user: User
    ) -> Sequence[Run]:
        """Keep a question for later and return what says so; nothing: it is answered at once."""
        if not self._asking.takes_longer(question, user):
            return ()
        if not space.whisperer.takes_late(command.where):
            log.warning("slack: a command came with an address that is not asked")
            return ()
        kept = late_answers.Question(
            command.team,
            command.person,
            command.channel,
            question,
            command.where,
            self._centre.clock.now(),
        )
        try:
            return [Run(LOOKING if self._late.take(kept) else FULL)]
        except OSError as cause:
            log.warning("slack: a question is not kept: %s", cause)
            return ()


def _ask_why(whisperer: Whisperer, form: Form, otherwise: Whisper) -> None:
    """Show the form; where that fails, tell the person where else they are asked."""
    try:
        whisperer.ask_why(form)
    except (NotNow, NotTaken) as cause:
        log.warning("slack: a person was not asked for a reason: %s", cause)
        _say(whisperer, otherwise)


def _say(whisperer: Whisperer, whisper: Whisper) -> None:
    try:
        whisperer.whisper(whisper)
    except (NotNow, NotTaken) as cause:
        log.warning("slack: a person was not told what became of their click: %s", cause)
