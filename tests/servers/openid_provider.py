"""An OpenID Connect provider on loopback that really signs, for tests.

It keeps what it promised: discovery, keys, an authorization endpoint that logs `person` in at once,
a token endpoint that asks for the client's secret, the verifier of PKCE and the same redirect
address, and takes each code once. `forge` changes the claims of the next tokens, `sign` how they
are signed: what an attacker, or another client of the same provider, would hand over.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwk, jws

CLIENT, SECRET = "sentienguard", "a secret/of+ours"
Claims = dict[str, Any]


@dataclass
class Provider:
    """The running provider."""

    address: str = ""
    person: Claims = field(default_factory=dict)  # who logs in next
    keys: list[Any] = field(default_factory=list)  # published; the last one signs
    forge: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[["Provider", Claims], str] | None = None
    describe: Claims = field(default_factory=dict)  # laid over the discovery document
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # paths
    tokens: list[str] = field(default_factory=list)  # that were handed out

    def reset(self) -> None:
        """Be honest again."""
        self.person = {
            "sub": "u-1", "preferred_username": "ada@example.org", "email": "ada@example.org",
            "email_verified": True, "groups": ["sre"],
        }  # fmt: skip
        self.forge, self.sign, self.describe = lambda claims: claims, None, {}
        self.asked.clear()

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is published no more."""
        self.keys[:] = [jwk.RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})]

    def signed(self, claims: Claims, key: Any = None, **header: Any) -> str:
        """Return a token as an honest provider signs it, but for what is given."""
        key = key or self.keys[-1]
        told = {"alg": "RS256", "kid": key.kid, **header}
        return jws.serialize_compact(told, json.dumps(claims), key, algorithms=[told["alg"]])

    def begin(self, query: dict[str, str]) -> str:
        """Log `person` in; return where their browser goes."""
        assert query["response_type"] == "code", query
        assert query["client_id"] == CLIENT, query
        assert query["code_challenge_method"] == "S256", query
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**query, "person": json.dumps(self.person)}
        back = urllib.parse.urlencode({"code": code, "state": query["state"], "iss": self.address})
        return f"{query['redirect_uri']}?{back}"

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, Claims]:
        """Answer the token endpoint."""
        pair = ":".join(urllib.parse.quote_plus(one) for one in (CLIENT, SECRET))
        if authorization != f"Basic {base64.b64encode(pair.encode()).decode()}":
            return 401, {"error": "invalid_client"}
        begun = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if begun is None or begun["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        if begun["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 300, "auth_time": now,
            "nonce": begun["nonce"], **json.loads(begun["person"]),
        }  # fmt: skip
        claims = self.forge(claims)
        token = self.sign(self, claims) if self.sign else self.signed(claims)
        self.tokens.append(token)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}

    def described(self) -> Claims:
        """Return the discovery document."""
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "code_challenge_methods_supported": ["S256"],
            **self.describe,
        }


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.provider.asked.append(path)
        if path == "/.well-known/openid-configuration":
            self._json(200, self.provider.described())
        elif path == "/keys":
            found = [one.as_dict(private=False) for one in self.provider.keys]
            self._json(200, {"keys": found})
        elif path == "/authorize":
            self.send_response(302)
            place = self.provider.begin(dict(urllib.parse.parse_qsl(query)))
            self.send_header("Location", place)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._json(404, {})

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        length = int(self.headers.get("Content-Length", "0"))
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        self._json(*self.provider.redeem(form, self.headers.get("Authorization", "")))

    def _json(self, status: int, document: Claims) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running() -> Iterator[Provider]:
    """Run a provider while the block lasts."""
    provider = Provider()
    provider.reset()
    provider.rotate()
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    provider.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
