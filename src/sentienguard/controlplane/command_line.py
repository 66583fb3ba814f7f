"""Log a command line in: its person signs in with the provider in a browser, and says yes there.

Called by controlplane.api.command_line, and by api.single_sign_on when the provider sends a browser
back. The command line keeps no secret of ours. Rules:

 1. It makes a verifier and tells its digest alone, the challenge. What comes back to it through the
    browser, a code, opens nothing without the verifier (RFC 7636 between it and us).
 2. A code goes to 127.0.0.1 of the machine on which the browser runs, to the port that was named,
    or is shown, to be carried by hand. There is no third place, and no address is taken from a
    request. Which of the two are open, the owner's file says.
 3. The person is asked, in the browser that signed in, on a page that names what asks and shows
    what the terminal shows too. Only that page can answer: it has a mark that nothing else knows.
 4. The question stands for five minutes and is answered once. A code lasts 60 seconds and is tried
    once: with a wrong verifier it is in two hands, which is recorded, and it is used up.
 5. The login is the one that the browser would have got: the roles of the same groups, and a second
    factor as shown to the provider then, not now.
 6. Where all logins of somebody are ended, so are their questions and codes.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sentienguard.controlplane import command_line_request, logins, single_sign_on
from sentienguard.controlplane.command_line_request import Wanted
from sentienguard.controlplane.single_sign_on import NotLoggedIn, Shown, SignOn
from sentienguard.model import errors
from sentienguard.ports.factor_store import NoSuchTicket, Ticket
from sentienguard.ports.user_store import NoSuchUser
from sentienguard.trust import code_challenge, encoding

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre

QUESTION: Final = "command-line"  # purposes of tickets: a person's yes, the code that follows it
CODE: Final = "command-line-code"
ASKED_FOR: Final = timedelta(minutes=5)
CODE_FOR: Final = timedelta(seconds=60)
SECRET_BYTES: Final = 32
CODE_BYTES: Final = 10  # 80 bits, once: guessing is hopeless, typing from another screen is not


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody is asked, and who that is."""

    wanted: Wanted
    user: str
    how: str
    strong_at: datetime | None
    address: str  # of the browser

    def sealed(self) -> bytes:
        """Return what is kept."""
        strong = None if self.strong_at is None else self.strong_at.isoformat()
        said = {"page": self.wanted.page, "how": self.how, "strong": strong, "from": self.address}
        return json.dumps(said).encode()


def begin(centre: "Centre", sign_on: SignOn, wanted: Wanted) -> single_sign_on.Attempt:
    """Begin a login for a command line. Raises Rejected where the owner has closed its way."""
    if wanted.way not in sign_on.file.command_line:
        raise errors.Rejected(
            f"the owner of this control plane has closed this way ({wanted.way}) to command lines; "
            f"open: {', '.join(sorted(sign_on.file.command_line)) or 'none'}"
        )
    return single_sign_on.begin_at(centre, wanted.page)


def ask(centre: "Centre", wanted: Wanted, shown: Shown, address: str) -> str:
    """Keep the question and return its secret, for the browser that is asked."""
    question = Question(wanted, shown.user.name, shown.how, shown.strong_at, address)
    secret = encoding.base64url(centre.entropy.bytes(SECRET_BYTES))
    _keep(centre, secret, QUESTION, question, ASKED_FOR)
    return secret


def mark(secret: str) -> str:
    """Return what the page knows and brings back with its answer (rule 3)."""
    return encoding.base64url(hmac.digest(secret.encode(), b"mark", hashlib.sha256))


def question(centre: "Centre", secret: str) -> Question:
    """Return what this browser is asked. Raises NotLoggedIn."""
    try:
        return _read(centre.factors.ticket(secret, QUESTION, at=centre.clock.now()))
    except NoSuchTicket as cause:
        raise _over() from cause


def answered(centre: "Centre", secret: str, shown_mark: str) -> Question:
    """Take the answer of this browser's page, once. Raises NotLoggedIn."""
    if not hmac.compare_digest(mark(secret).encode(), shown_mark.encode("utf-8", "replace")):
        raise NotLoggedIn("not-our-page", "a yes for a command line came from no page of ours")
    try:
        return _read(centre.factors.take_ticket(secret, QUESTION, at=centre.clock.now()))
    except NoSuchTicket as cause:
        raise _over() from cause


def agreed(centre: "Centre", asked: Question) -> str:
    """Return the code for the command line to which somebody said yes."""
    made = base64.b32encode(centre.entropy.bytes(CODE_BYTES)).decode().lower()
    _keep(centre, made, CODE, asked, CODE_FOR)
    return "-".join(made[at : at + 4] for at in range(0, len(made), 4))


def denied(asked: Question) -> NotLoggedIn:
    """Return the refusal to record where somebody said no."""
    machine = asked.wanted.machine
    return NotLoggedIn("by-its-person", f"said no to a command line of {machine!a}", asked.user)


def redeem(centre: "Centre", code: str, verifier: str, address: str) -> logins.Pair:
    """Log the command line in whose code and verifier these are (rules 1, 4, 5).

    Raises NotLoggedIn.
    """
    plain = "".join(code.replace("-", "").split()).lower()
    try:
        asked = _read(centre.factors.take_ticket(plain, CODE, at=centre.clock.now()))
    except NoSuchTicket as cause:
        raise NotLoggedIn("no-such-code", "a code for a command line that nobody has") from cause
    if not code_challenge.fits(verifier, asked.wanted.challenge):
        raise NotLoggedIn(
            "other-command-line", "a code was tried by another command line than its own",
            asked.user,
        )  # fmt: skip
    if not _has_a_role(centre, asked.user):
        raise NotLoggedIn("no-role", "the roles were taken away meanwhile", asked.user)
    _, pair = logins.open_login(
        centre,
        asked.user,
        address,
        how=f"{asked.how}, command line",
        strong_at=asked.strong_at,
        said={"machine": asked.wanted.machine, "agreed_from": asked.address},
    )
    return pair


def _has_a_role(centre: "Centre", name: str) -> bool:
    try:
        return bool(centre.users.get(name).roles)
    except NoSuchUser:
        return False


def _keep(centre: "Centre", secret: str, purpose: str, asked: Question, lasts: timedelta) -> None:
    now = centre.clock.now()
    ticket = Ticket(purpose, asked.user, asked.sealed(), now + lasts)
    centre.factors.open_ticket(secret, ticket, at=now)


def _read(ticket: Ticket) -> Question:
    said: dict[str, Any] = json.loads(ticket.challenge)
    wanted = command_line_request.of_page(said["page"])
    if wanted is None:  # of another release
        raise _over()
    strong = None if said["strong"] is None else datetime.fromisoformat(said["strong"])
    return Question(wanted, ticket.user, said["how"], strong, said["from"])


def _over() -> NotLoggedIn:
    return NotLoggedIn("too-late", "the question is over, was answered, or is another browser's")
