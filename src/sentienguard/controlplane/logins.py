"""A login: opened, told by a pair of tokens, refreshed, ended; and what is recorded of it.

Called by controlplane.api (auth, account, users). What holds whatever comes stands in
ports.session_store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sentienguard.controlplane import findings
from sentienguard.controlplane.live import LOGINS
from sentienguard.ports.session_store import (
    ACCESS_PREFIX,
    REFRESH_PREFIX,
    Issued,
    Login,
    RefreshReused,
)

if TYPE_CHECKING:
    from sentienguard.controlplane.centre import Centre

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Pair:
    """The tokens of a login at one moment."""

    access: Issued
    refresh: Issued
    ends_at: datetime


def open_login(
    centre: "Centre",
    user: str,
    address: str,
    *,
    how: str,
    strong: bool = False,
    strong_at: datetime | None = None,
    said: Mapping[str, str] | None = None,
) -> tuple[Login, Pair]:
    """Open a login and record it; `how` says what was shown, such as `password, totp`.

    With `strong` a second factor was shown just now, else at `strong_at`, if ever. `said` goes into
    the record beside.
    """
    now = centre.clock.now()
    login = Login(
        id=f"log_{centre.entropy.bytes(8).hex()}",
        user=user,
        opened_at=now,
        ends_at=now + timedelta(hours=centre.settings.session_hours),
        address=address,
        strong_at=now if strong else strong_at,
    )
    pair = _pair(centre, now, login.ends_at)
    centre.sessions.open(login, pair.access, pair.refresh)
    centre.audit.append(
        kind="user.login",
        env="",
        actor=user,
        data={"ip_address": address, "login": login.id, "how": how, **(said or {})},
    )
    findings.after_login(centre, user, address)
    return login, pair


def refresh(centre: "Centre", token: str, address: str) -> Pair:
    """Return the next pair. Raises NotAuthenticated; a reuse is recorded and counted."""
    now = centre.clock.now()
    made = _pair(centre, now, None)
    try:
        login = centre.sessions.refresh(token, made.access, made.refresh, at=now)
    except RefreshReused as reused:
        centre.counters.add("access_denied_total", "refresh_reused")
        record_end(centre, reused.login, by=reused.login.user, because="reuse", address=address)
        raise
    return Pair(made.access, made.refresh, login.ends_at)


def record_end(centre: "Centre", login: Login, *, by: str, because: str, address: str) -> None:
    """Record that a login was ended."""
    centre.audit.append(
        kind="session.ended",
        env="",
        actor=by,
        data={
            "user": login.user,
            "login": login.id,
            "because": because,
            "opened_from": login.address,
            "ip_address": address,
        },
    )
    centre.live.changed(LOGINS, "", centre.clock.now())


def end_all(centre: "Centre", user: str, *, by: str, because: str, address: str) -> int:
    """End all logins of somebody, also those under way, from the next request on; record it."""
    centre.factors.drop_tickets(user)
    ended = centre.sessions.end_all(user, at=centre.clock.now(), because=because)
    centre.audit.append(
        kind="session.ended",
        env="",
        actor=by,
        data={"user": user, "ended": ended, "because": because, "ip_address": address},
    )
    centre.live.changed(LOGINS, "", centre.clock.now())
    return ended


def _pair(centre: "Centre", now: datetime, ends_at: datetime | None) -> Pair:
    """Make two random tokens; the store ends both with their login."""
    settings = centre.settings
    access = now + timedelta(minutes=settings.access_minutes)
    idle = now + timedelta(minutes=max(settings.session_idle_minutes, settings.access_minutes))
    latest = ends_at or idle
    return Pair(
        Issued(ACCESS_PREFIX + centre.entropy.bytes(TOKEN_BYTES).hex(), access),
        Issued(REFRESH_PREFIX + centre.entropy.bytes(TOKEN_BYTES).hex(), min(idle, latest)),
        latest,
    )
