"""Ask one OpenID Connect provider: what it is, which keys it has, whose code this is.

Rules:

 1. The discovery document is the issuer's own (OpenID Connect Discovery 4.3): it names the
    configured issuer to the letter, and it offers PKCE with S256 where it says what it offers.
 2. The document and the keys are kept for an hour. A token with a key id that is not among them
    has the keys fetched again, once for that token: that is how a provider changes its keys.
 3. Where the provider does not answer, nobody asks it again for five seconds.
 4. The code is redeemed with the verifier that only this login's browser holds, and with our
    secret where we have one.
 5. At most `AT_ONCE` people are waited for; the next one is told to try again. A provider that
    does not answer keeps nobody from what they do here.

Formats: OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749, 7636, 9207.
"""

import base64
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from sentienguard.adapters.openid import claims
from sentienguard.model import errors
from sentienguard.ports.clock import Clock
from sentienguard.ports.identity_provider import Asked, NotBelieved, Person, ProviderAway
from sentienguard.ports.outbound import NoAnswer, NotAllowed, Outbound, Request
from sentienguard.ports.secrets import Secret
from sentienguard.trust import dsse, encoding, id_token

KEPT_S: Final = 3600.0  # rule 2
PAUSE_S: Final = 5.0  # rule 3
AT_ONCE: Final = 8  # rule 5; of the 40 threads that answer people
LONGEST_CODE: Final = 4096  # characters
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are to the provider, and what its tokens call things."""

    issuer: str
    id: str
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    algorithms: tuple[str, ...] = id_token.ALGORITHMS


@dataclass(slots=True)
class _Kept:
    """Something fetched, or the failure to fetch it."""

    document: dict[str, Any] | None
    problem: str
    until_s: float  # monotonic


class Provider:
    """One provider; see ports.identity_provider for what each method promises."""

    def __init__(
        self,
        client: Client,
        way: Outbound,
        clock: Clock,
        secret: Callable[[], Secret] | None = None,
    ) -> None:
        """Ask through `way`; without a secret we are a public client."""
        self._client = client
        self._way = way
        self._clock = clock
        self._secret = secret
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._kept: dict[str, _Kept] = {}

    def address(self, asked: Asked) -> str:
        """Return where the browser goes. Raises ProviderAway."""
        with self._place():
            endpoint = str(self._described()["authorization_endpoint"])
        digest = hashlib.sha256(asked.verifier.encode()).digest()
        age = {} if asked.most_age_s is None else {"max_age": str(asked.most_age_s)}
        query = urllib.parse.urlencode({
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": asked.redirect,
            "scope": " ".join(self._client.scopes),
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": encoding.base64url(digest),
            "code_challenge_method": "S256",
            **age,
        })  # fmt: skip
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    def redeem(self, code: str, asked: Asked, issuer: str | None = None) -> Person:
        """Return whose code this is. Raises NotBelieved, ProviderAway."""
        if issuer is not None and issuer != self._client.issuer:
            raise NotBelieved("the answer names another issuer than ours")
        if not 0 < len(code) <= LONGEST_CODE or not code.isascii() or not code.isprintable():
            raise NotBelieved("the answer holds no code")
        expected = id_token.Expected(
            self._client.issuer, self._client.id, asked.nonce, self._client.algorithms
        )
        with self._place():
            token = self._token(code, asked)
            try:
                found = self._verified(token, expected)
            except dsse.NotTrusted as cause:
                raise NotBelieved(str(cause)) from cause
        return claims.person(
            found, name_claim=self._client.name_claim, groups_claim=self._client.groups_claim
        )

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of the places of rule 5. Raises ProviderAway where none is free."""
        if not self._places.acquire(blocking=False):
            raise ProviderAway(f"{self._client.issuer}: too many wait for it; try again")
        try:
            yield
        finally:
            self._places.release()

    def _verified(self, token: str, expected: id_token.Expected) -> dict[str, Any]:
        url = str(self._described()["jwks_uri"])
        try:
            return id_token.verify(token, self._fetched(url), expected, self._clock.now())
        except id_token.KeyUnknown:  # rule 2
            with self._lock:
                self._kept.pop(url, None)
            return id_token.verify(token, self._fetched(url), expected, self._clock.now())

    def _token(self, code: str, asked: Asked) -> str:
        """Redeem the code (rule 4)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked.redirect,
            "client_id": self._client.id,
            "code_verifier": asked.verifier,
        }
        described = self._described()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        if self._secret is not None:
            ways = described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            if "client_secret_basic" in ways:
                headers["Authorization"] = _basic(self._client.id, self._secret().reveal())
            else:
                form["client_secret"] = self._secret().reveal()
        body = urllib.parse.urlencode(form).encode()
        status, answer = self._asked(
            Request("POST", str(described["token_endpoint"]), headers, body)
        )
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}:
            raise NotBelieved(f"the provider refused the code: {str(answer.get('error'))[:100]!a}")
        token = answer.get("id_token")
        if status != HTTPStatus.OK or not isinstance(token, str):
            raise ProviderAway(f"{self._client.issuer}: expected an ID token, found {int(status)}")
        return token

    def _described(self) -> Mapping[str, Any]:
        """Return the discovery document (rule 1)."""
        issuer = self._client.issuer
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._fetched(url)
        if found.get("issuer") != issuer:
            raise ProviderAway(
                f"{url}: expected issuer {issuer}, found {str(found.get('issuer'))[:200]!a}; set "
                "`issuer` to the provider's own spelling if that is it"
            )
        for name in _ENDPOINTS:
            endpoint = str(found.get(name, ""))
            secure = endpoint.startswith("https://") or issuer.startswith("http://")
            if not secure or "#" in endpoint or not endpoint.isprintable():
                raise ProviderAway(f"{url}: {name}: expected an https address")
        methods = found.get("code_challenge_methods_supported", ["S256"])
        if not isinstance(methods, list) or "S256" not in methods:
            raise ProviderAway(f"{url}: the provider does not offer PKCE with S256")
        return found

    def _fetched(self, url: str) -> Mapping[str, Any]:
        """Return a JSON object, kept (rules 2 and 3)."""
        with self._lock:
            now = self._clock.monotonic()
            kept = self._kept.get(url)
            if kept is None or kept.until_s <= now:
                kept = self._fetch(url, now)
                self._kept[url] = kept
        if kept.document is None:
            raise ProviderAway(kept.problem)
        return kept.document

    def _fetch(self, url: str, now: float) -> _Kept:
        try:
            status, document = self._asked(Request("GET", url, {"Accept": "application/json"}))
        except ProviderAway as cause:
            return _Kept(None, str(cause), now + PAUSE_S)
        if status != HTTPStatus.OK:
            return _Kept(None, f"{url} answered {int(status)}", now + PAUSE_S)
        return _Kept(document, "", now + KEPT_S)

    def _asked(self, request: Request) -> tuple[int, dict[str, Any]]:
        """Ask and read an object; an error's body may be anything. Raises ProviderAway."""
        try:
            answer = self._way.send(request)
        except (NoAnswer, NotAllowed) as cause:
            raise ProviderAway(str(cause)) from cause
        except errors.Unavailable as cause:
            raise ProviderAway(str(cause)) from cause
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            if answer.status == HTTPStatus.OK:
                raise ProviderAway(f"{request.url}: expected a JSON object")
            document = {}
        return answer.status, document


def _basic(client: str, secret: str) -> str:
    """Return the header of RFC 6749 2.3.1: both parts are form-encoded first."""
    pair = ":".join(urllib.parse.quote_plus(one) for one in (client, secret))
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
