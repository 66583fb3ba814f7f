"""What an OpenID Connect ID token says, once it is proven that it says it to us, now.

Called by adapters.openid, and by push_token for what both kinds share. Pure: the token, the
provider's published keys and the time come as arguments. The signature is checked by joserfc.
Rules, after OpenID Connect Core 3.1.3.7 and RFC 8725:

 1. The algorithm is one of the configured ones, all of them asymmetric: `none`, and HMAC with the
    public key as its secret, are no signatures whatever the token's header says.
 2. The key is one that the provider publishes now, for signatures, under the token's key id.
 3. `iss` is the configured issuer, to the letter.
 4. `aud` names our client; a token for several, or one with `azp`, was issued to our client.
 5. `exp` lies ahead and `iat` not, but for a minute of difference between clocks.
 6. `nonce` is that of the login in this browser.
 7. `sub` is there.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sentienguard.trust.dsse import NotTrusted

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "Ed25519")
SKEW: Final = timedelta(minutes=1)
LONGEST_TOKEN: Final = 32 * 1024  # characters; one with hundreds of groups has ten thousand
LONGEST_SUBJECT: Final = 255  # OpenID Connect Core 2


class KeyUnknown(NotTrusted):
    """No published key has the token's id: the provider may have changed its keys since."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say."""

    issuer: str
    client: str
    nonce: str
    algorithms: tuple[str, ...] = ALGORITHMS  # of rule 1


def verify(
    token: str, published: Mapping[str, Any], expected: Expected, now: datetime
) -> dict[str, Any]:
    """Return the claims. Raises NotTrusted, KeyUnknown naming the rule that does not hold."""
    claims = _signed(token, published, expected.algorithms)
    if claims.get("iss") != expected.issuer:  # rule 3
        raise NotTrusted(f"iss: expected {expected.issuer}, found {_shown(claims.get('iss'))}")
    _require_for_us(claims, expected.client)
    _require_current(claims, now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode("utf-8", "replace"), expected.nonce.encode()
    ):  # rule 6
        raise NotTrusted("nonce: the token belongs to another login")
    subject = claims.get("sub")
    if (
        not isinstance(subject, str)
        or not subject.isprintable()
        or not 0 < len(subject) <= LONGEST_SUBJECT
    ):  # rule 7
        raise NotTrusted(f"sub: expected 1 to {LONGEST_SUBJECT} printable characters")
    return claims


def signed(
    token: str, published: Mapping[str, Any], algorithms: Sequence[str], now: datetime
) -> dict[str, Any]:
    """Return the claims of a token that is signed and current (rules 1, 2 and 5), and no more.

    Who issued it, for whom and about whom is the caller's to check. Raises NotTrusted, KeyUnknown.
    """
    claims = _signed(token, published, algorithms)
    _require_current(claims, now)
    return claims


def _signed(token: str, published: Mapping[str, Any], allowed: Sequence[str]) -> dict[str, Any]:
    algorithms = [one for one in allowed if one in ALGORITHMS]  # rule 1, whatever was configured
    if not algorithms or len(token) > LONGEST_TOKEN or not token.isascii():
        raise NotTrusted(f"expected a token of at most {LONGEST_TOKEN} ASCII characters")
    # joserfc is loaded by the first token; most runs of a control plane see none.
    from joserfc import errors as jose  # noqa: PLC0415
    from joserfc import jws, jwt  # noqa: PLC0415
    from joserfc.jwk import KeySet  # noqa: PLC0415

    try:
        keys = KeySet.import_key_set({"keys": _for_signatures(published)})  # rule 2
        found = jwt.decode(
            token, keys, algorithms=algorithms, registry=jws.JWSRegistry(algorithms=algorithms)
        )
    except (jose.InvalidKeyIdError, jose.MissingKeyError) as cause:
        raise KeyUnknown(f"the provider publishes no key for this token: {cause}") from cause
    except (jose.JoseError, ValueError, TypeError, KeyError, RecursionError) as cause:
        raise NotTrusted(f"the token is not signed by the provider: {_shown(cause)}") from cause
    return found.claims


def _for_signatures(published: Mapping[str, Any]) -> list[Any]:
    """Return the public keys that sign; a set may hold others beside them."""
    found = published.get("keys")
    if not isinstance(found, list):
        raise NotTrusted("the provider's key set: expected a list of keys")
    return [
        one
        for one in found
        if isinstance(one, dict)
        and one.get("use", "sig") == "sig"
        and one.get("kty") in {"RSA", "EC", "OKP"}
    ]


def _require_for_us(claims: Mapping[str, Any], client: str) -> None:  # rule 4
    audience = claims.get("aud")
    told = [audience] if isinstance(audience, str) else audience
    if not isinstance(told, list) or client not in told:
        raise NotTrusted(f"aud: expected {client}, found {_shown(audience)}")
    party = claims.get("azp")
    if (len(told) > 1 or party is not None) and party != client:
        raise NotTrusted(f"azp: expected {client}, found {_shown(party)}")


def _require_current(claims: Mapping[str, Any], now: datetime) -> None:  # rule 5
    at = now.timestamp()
    ends, began = _time(claims.get("exp")), _time(claims.get("iat"))
    if ends is None or ends <= at - SKEW.total_seconds():
        raise NotTrusted(f"exp: the token is over, or says no end: {_shown(claims.get('exp'))}")
    if began is None or began > at + SKEW.total_seconds():
        raise NotTrusted(f"iat: the token was issued after now: {_shown(claims.get('iat'))}")


def _time(found: Any) -> float | None:
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def _shown(found: object) -> str:
    return repr(str(found)[:100])
