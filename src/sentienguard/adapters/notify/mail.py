"""E-mail by SMTP (RFC 5321), plain text, a thread for each incident.

The connection is upgraded with STARTTLS (RFC 3207) before anything is said; a server that does not
offer it is refused unless the owner wrote `tls: none`, which sends no password either. A server
that repeats the password in what it answers is quoted without it.
"""

import email.utils
import hashlib
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final

from sentienguard.adapters.notify import posting
from sentienguard.adapters.notify.said import Key, Said
from sentienguard.model.notice import Notice
from sentienguard.ports.notifier import Letter, NotNow, NotTaken
from sentienguard.ports.outbound import NoAnswer, NotAllowed, Wanted

KIND: Final = "email"
_PERMANENT: Final = 500  # of a reply: the same mail is refused again
Connect = Callable[[str], socket.socket]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where mail is handed in, from whom, to whom."""

    server: str  # smtp://host:port
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password: Key | None = None  # None: nobody logs in
    tls: bool = True


def mailbox(said: Said) -> Mailbox:
    """Read the channel. Raises said.ChannelWrong."""
    secured = said.text("tls", "starttls")
    if secured not in {"starttls", "none"}:
        raise said.wrong("tls", "starttls or none", secured)
    user = said.optional("user")
    found = Mailbox(
        server=said.text("server"),
        sender=said.text("from"),
        to=said.texts("to"),
        user=user,
        password=said.secret("password") if user else said.optional_secret("password"),
        tls=secured == "starttls",
    )
    if found.user and not found.tls:
        raise said.wrong("tls", "starttls, because a password would be sent", secured)
    for address in (found.sender, *found.to):
        if "@" not in email.utils.parseaddr(address)[1]:
            raise said.wrong("to", "addresses like ops@example.com", address)
    return found


def wanted(said: Said) -> list[Wanted]:
    """Return where the channel wants to connect."""
    return [Wanted(mailbox(said).server, said.private)]


class Mail:
    """One mailbox that hears of incidents."""

    def __init__(self, box: Mailbox, connect: Connect, tls: ssl.SSLContext) -> None:
        """Hand mail in there."""
        self._box = box
        self._connect = connect
        self._tls = tls

    def send(self, letter: Letter) -> str:
        """Hand in one mail; returns its Message-ID."""
        message = compose(letter, self._box)
        password = self._box.password.text() if self._box.user and self._box.password else ""
        try:
            with _Session(self._connect, self._box.server) as session:
                if self._box.tls:
                    session.starttls(context=self._tls)
                if self._box.user:
                    session.login(self._box.user, password)
                session.send_message(message, self._box.sender, list(self._box.to))
        except NotAllowed as cause:
            raise NotTaken(str(cause)) from cause
        except smtplib.SMTPRecipientsRefused as cause:
            codes = [code for code, _ in cause.recipients.values()]
            raise _judged(min(codes), b"recipients refused") from None
        except smtplib.SMTPResponseException as cause:
            # None, here and below: a traceback would show the words that are left out.
            said = cause.smtp_error if isinstance(cause.smtp_error, bytes) else b""
            raise _judged(cause.smtp_code, _without(said, self._box.user, password)) from None
        except smtplib.SMTPNotSupportedError as cause:
            message_ = f"{self._box.server}: {cause}; tls: none would send in the clear"
            raise NotTaken(message_) from cause
        except (NoAnswer, smtplib.SMTPException, OSError) as cause:
            said = _without(str(cause).encode(), self._box.user, password)
            raise NotNow(f"{self._box.server}: {posting.shown(said)}") from None
        return str(message["Message-ID"])


class _Session(smtplib.SMTP):
    """SMTP over the guarded connection."""

    def __init__(self, connect: Connect, server: str) -> None:
        self._way = connect
        self._server = server
        host, _, port = server.removeprefix("smtp://").rstrip("/").partition(":")
        super().__init__(host, int(port or 25), local_hostname="sentienguard")

    def _get_socket(self, host: str, port: int, timeout: Any) -> socket.socket:  # noqa: ARG002
        return self._way(self._server)


def _without(said: bytes, user: str, password: str) -> bytes:
    """Return what a server said without the password, in whichever way it was told it."""
    if not password:
        return said
    return posting.without(said, [f"\0{user}\0{password}", password])


def _judged(code: int, said: bytes) -> NotTaken | NotNow:
    message = f"the mail server answered {code}: {posting.shown(said)}"
    return NotTaken(message) if code >= _PERMANENT else NotNow(message)


def compose(letter: Letter, box: Mailbox) -> EmailMessage:
    """Return the mail of a notice. Headers take no line break: the library refuses one."""
    notice = letter.notice
    domain = email.utils.parseaddr(box.sender)[1].rpartition("@")[2]
    made = EmailMessage()
    made["From"] = box.sender
    made["To"] = ", ".join(box.to)
    made["Subject"] = posting.cut(_line(f"[SentienGuard] {notice.title}"), 200)
    made["Date"] = letter.at
    made["Message-ID"] = f"<{letter.id}@{domain}>"
    if notice.incident:  # mail programs show one thread, whichever mail came first
        thread = hashlib.sha256(notice.incident.encode()).hexdigest()[:24]
        made["References"] = f"<{thread}@{domain}>"
        made["In-Reply-To"] = f"<{thread}@{domain}>"
    made["Auto-Submitted"] = "auto-generated"
    made["X-SentienGuard-Event"] = notice.kind.value
    made.set_content(text(notice))
    return made


def text(notice: Notice) -> str:
    """Return the body."""
    lines = [notice.title, "", *notice.lines, ""]
    if notice.question is not None:
        lines.append("Answer on the dashboard or with `sentienguard approvals`.")
    if notice.page:
        lines.append(notice.page)
    about = (notice.environment, notice.severity.value, notice.incident)
    return "\n".join([*lines, "", "-- ", " ".join(one for one in about if one)])


def _line(found: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in found)
