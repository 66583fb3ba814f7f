"""ID tokens: each rule of trust.id_token stops an attack, and it alone stops that attack."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jws

from sentienguard.trust import dsse, id_token
from tests.support import planted

NAME = "sentienguard.trust.id_token"
NOW = datetime(2026, 2, 12, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp())
KEYS = {
    "RS256": jwk.RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
    "ES256": jwk.ECKey.generate_key("P-256", {"kid": "ec"}),
    "Ed25519": jwk.OKPKey.generate_key("Ed25519", {"kid": "ed"}),
}
KEYS["PS256"] = KEYS["RS256"]
STRANGER = jwk.ECKey.generate_key("P-256", {"kid": "ec"})
ENCRYPTS = jwk.ECKey.generate_key("P-256", {"kid": "enc"})  # published for encryption
PUBLISHED = {
    "keys": [KEYS[name].as_dict(private=False) for name in ("RS256", "ES256", "Ed25519")]
    + [{**ENCRYPTS.as_dict(private=False), "use": "enc"}, {"kty": "new", "kid": "x"}]
}
EXPECTED = id_token.Expected("https://login.example.org", "sentienguard", "n" * 43)
CLAIMS = {
    "iss": EXPECTED.issuer, "aud": EXPECTED.client, "sub": "u-1", "iat": AT, "exp": AT + 300,
    "nonce": EXPECTED.nonce,
}  # fmt: skip


def signed(claims: Any = None, algorithm: str = "ES256", key: Any = None, **header: Any) -> str:
    key = key or KEYS[algorithm]
    told = {"alg": algorithm, "kid": key.kid, **header}
    payload = json.dumps(CLAIMS if claims is None else claims)
    return jws.serialize_compact(told, payload, key, algorithms=[algorithm])


def verified(token: str, module: Any = id_token, now: datetime = NOW) -> Any:
    return module.verify(token, PUBLISHED, EXPECTED, now)


@pytest.mark.parametrize("algorithm", KEYS)
def test_what_the_provider_signed_is_believed(algorithm: str) -> None:
    assert verified(signed(algorithm=algorithm)) == CLAIMS


def test_what_the_owner_did_not_allow_is_not_believed() -> None:
    narrow = id_token.Expected(EXPECTED.issuer, EXPECTED.client, EXPECTED.nonce, ("RS256",))
    with pytest.raises(dsse.NotTrusted):
        id_token.verify(signed(), PUBLISHED, narrow, NOW)
    for none in ((), ("HS256",), ("none",), ("HS256", "none")):
        wide = id_token.Expected(EXPECTED.issuer, EXPECTED.client, EXPECTED.nonce, none)
        with pytest.raises(dsse.NotTrusted):
            id_token.verify(signed(), PUBLISHED, wide, NOW)


def test_a_key_that_is_not_published_may_be_a_new_one() -> None:
    with pytest.raises(id_token.KeyUnknown):
        verified(signed(key=jwk.ECKey.generate_key("P-256", {"kid": "next"})))


def part(said: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def unsigned() -> str:
    return f"{part({'alg': 'none', 'kid': 'ec'})}.{part(CLAIMS)}."


def by_public_key() -> str:
    text = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(CLAIMS)}"
    mac = hmac.digest(KEYS["RS256"].as_pem(private=False), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@pytest.mark.parametrize("token", [
    unsigned(), by_public_key(), signed(key=STRANGER), signed(key=ENCRYPTS), "", ".", "..", "a.b.c",
    signed()[:-4], signed() + "A", signed().replace(".", " .", 1), "x" * 40_000, "é" + signed(),
    signed({**CLAIMS, "sub": "u-2"}).rpartition(".")[0] + "." + signed().rpartition(".")[2],
    signed(key=STRANGER, jwk=STRANGER.as_dict(private=False)),
    signed(key=STRANGER, jku="https://evil.example/keys"),
    f"{part({'alg': 'ES256', 'kid': 'ec', 'crit': ['x'], 'x': 1})}.{part(CLAIMS)}.AA",
    f"{part([])}.{part(CLAIMS)}.AA", f"{part({'alg': ['ES256']})}.{part(CLAIMS)}.AA",
])  # fmt: skip
def test_no_other_signature_counts(token: str) -> None:
    with pytest.raises(dsse.NotTrusted):
        verified(token)


@pytest.mark.parametrize("published", [
    {}, {"keys": None}, {"keys": {}}, {"keys": []}, {"keys": [1, None, "x"]},
    {"keys": [{"kty": "RSA"}]}, {"keys": [{"kty": "EC", "crv": "P-256", "x": "!", "y": 1}]},
    {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "ec"}]},
])  # fmt: skip
def test_a_key_set_that_is_none_proves_nothing(published: Any) -> None:
    with pytest.raises(dsse.NotTrusted):
        id_token.verify(signed(), published, EXPECTED, NOW)


# The rule, the claims that break it, and what takes it out.
RULES: dict[str, tuple[dict[str, Any], str, str]] = {
    "3 the issuer": ({"iss": "https://login.example.com"},
                     'if claims.get("iss") != expected.issuer:', "if False:"),
    "4 another client": ({"aud": "wiki"},
                         "if not isinstance(told, list) or client not in told:", "if False:"),
    "4 for several": ({"aud": ["wiki", EXPECTED.client]}, "len(told) > 1 or ", ""),
    "4 issued to another": ({"azp": "wiki"}, "and party != client", "and False"),
    "5 over": ({"exp": AT - 60}, "ends <= at - SKEW.total_seconds()", "False"),
    "5 over, but for the skew": ({"exp": AT - 60}, "ends <= at - SKEW", "ends < at - SKEW"),
    "5 of the future": ({"iat": AT + 61}, "began > at + SKEW.total_seconds()", "False"),
    "6 of another login": ({"nonce": "m" * 43},
                           "if not isinstance(nonce, str) or not hmac.compare_digest(",
                           "if False and not hmac.compare_digest("),
    "7 of nobody": ({"sub": ""}, "not 0 < len(subject) <= LONGEST_SUBJECT", "False"),
    "7 of an endless name": ({"sub": "x" * 256}, " <= LONGEST_SUBJECT\n", "\n"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_claim_gets_through_without_its_rule_alone(rule: str) -> None:
    changes, before, after = RULES[rule]
    token = signed({**CLAIMS, **changes})
    with pytest.raises(dsse.NotTrusted):
        verified(token)
    assert (
        verified(token, planted.module(NAME, before, after))["sub"] == {**CLAIMS, **changes}["sub"]
    )


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("value", [None, "", 7, True, [], {}, [None], "\u0000"])
def test_a_claim_of_another_form_is_not_believed(claim: str, value: Any) -> None:
    if claim == "iat" and value == 7 and value is not True:
        return  # long ago, which says nothing against it
    with pytest.raises(dsse.NotTrusted):
        verified(signed({**CLAIMS, claim: value}))


def test_the_configured_algorithms_never_reach_below_ours() -> None:
    weaker = planted.module(NAME, "[one for one in allowed if one in ALGORITHMS]", "list(allowed)")
    secret = jwk.OctKey.import_key("x" * 32, {"kid": "oct"})
    published = {"keys": [{**secret.as_dict(private=True)}]}
    wide = id_token.Expected(EXPECTED.issuer, EXPECTED.client, EXPECTED.nonce, ("HS256",))
    token = jws.serialize_compact(
        {"alg": "HS256", "kid": "oct"}, json.dumps(CLAIMS), secret, algorithms=["HS256"]
    )
    for module in (id_token, weaker):  # the kinds of keys are a second wall
        with pytest.raises(dsse.NotTrusted):
            module.verify(token, published, wide, NOW)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_whatever_comes_is_refused_in_our_words(head: str, body: str, mark: str) -> None:
    with pytest.raises(dsse.NotTrusted):
        verified(f"{head}.{body}.{mark}")
