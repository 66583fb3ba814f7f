"""Each rule of trust.webauthn taken out in turn: an attack that was refused gets through.

So each rule is held by a test: the same attacks stand in test_trust_webauthn, refused.
"""

import hashlib
from typing import Any

import pytest

from sentienguard.trust import encoding, webauthn
from tests.support import planted
from tests.support.authenticator import AT, UP, UV, Passkey

PARTY = webauthn.Party("guard.example.org", "https://guard.example.org")
CHALLENGE = hashlib.sha256(b"the order that was shown").digest()
OTHER = encoding.base64url(hashlib.sha256(b"another order").digest())
COUNTER = 7

# The rule, what takes it out, and what gets through then.
ANSWERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "1 the type": ('said.get("type") != kind', "False", {"kind": "webauthn.create"}),
    "2 the challenge": ("if not isinstance(answered, str) or not hmac.compare_digest(",
                        "if False and not hmac.compare_digest(", {"challenge": OTHER}),
    "3 the origin": ('said.get("origin") != party.origin or ', "",
                     {"origin": "https://guard.example.org.evil.example"}),
    "3 the frame": (' or said.get("crossOrigin", False) is not False', "", {"crossOrigin": True}),
    "4 the party": ("if not hmac.compare_digest(data[:32], ", "if False and not f(data[:32], ",
                    {"party": "evil.example"}),
    "5 presence": ("not flags & UP or ", "", {"flags": UV}),
    "5 verification": (" or not flags & UV", "", {"flags": UP}),
    "8 a counter that stands": ("counter <= known.counter", "counter < known.counter",
                                {"counter": COUNTER}),
    "8 a counter that fell": ("counter <= known.counter", "counter == known.counter",
                              {"counter": COUNTER - 1}),
    "8 a counter that was lost": ("(counter or known.counter)", "counter", {"counter": 0}),
}  # fmt: skip
REGISTRATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "1 the type": ('said.get("type") != kind', "False", {"type": "webauthn.get"}),
    "2 the challenge": ANSWERS["2 the challenge"],
    "3 the origin": ('said.get("origin") != party.origin or ', "",
                     {"origin": "https://evil.example"}),
    "4 the party": ANSWERS["4 the party"],
    "5 presence": ("not flags & UP or ", "", {"flags": UV | AT}),
    "5 verification": (" or not flags & UV", "", {"flags": UP | AT}),
}  # fmt: skip


def through(module: Any, changes: dict[str, Any]) -> bool:
    """Tell whether a module takes an answer that was changed; without changes it has to."""
    mine = Passkey(PARTY.id, PARTY.origin)
    known = module.Registered(mine.credential, mine.public_key(), COUNTER)
    right, changed = (
        mine.answer(CHALLENGE, **{"counter": COUNTER + 1} | each) for each in ({}, changes)
    )
    assert module.verify(PARTY, CHALLENGE, known, right) == COUNTER + 1
    try:
        module.verify(PARTY, CHALLENGE, known, changed)
    except module.AssertionWrong:
        return False
    return True


def registers(module: Any, changes: dict[str, Any]) -> bool:
    mine = Passkey(PARTY.id, PARTY.origin)
    module.register(PARTY, CHALLENGE, *mine.make(CHALLENGE))
    try:
        module.register(PARTY, CHALLENGE, *mine.make(CHALLENGE, **changes))
    except module.AssertionWrong:
        return False
    return True


@pytest.mark.parametrize("rule", ANSWERS)
def test_an_answer_gets_through_without_its_rule_alone(rule: str) -> None:
    before, after, changes = ANSWERS[rule]
    assert not through(webauthn, changes)
    assert through(planted.module("sentienguard.trust.webauthn", before, after), changes)


@pytest.mark.parametrize("rule", REGISTRATIONS)
def test_a_registration_gets_through_without_its_rule_alone(rule: str) -> None:
    before, after, changes = REGISTRATIONS[rule]
    assert not registers(webauthn, changes)
    assert registers(planted.module("sentienguard.trust.webauthn", before, after), changes)


def test_anybodys_signature_counts_without_the_check_of_it() -> None:
    weaker = planted.module(
        "sentienguard.trust.webauthn",
        "        _verify_signature(known.public_key, given.signature, signed)\n",
        "        pass\n",
    )
    mine, thief = (Passkey(PARTY.id, PARTY.origin) for _ in range(2))
    stolen = thief.answer(CHALLENGE, counter=1)
    for module, taken in ((webauthn, False), (weaker, True)):
        known = module.Registered(mine.credential, mine.public_key(), 0)
        given = module.Assertion(
            stolen.client_data, stolen.authenticator_data, stolen.signature[:-1] + b"\x00"
        )
        if taken:
            assert module.verify(PARTY, CHALLENGE, known, given) == 1
        else:
            with pytest.raises(module.AssertionWrong, match="rule 7"):
                module.verify(PARTY, CHALLENGE, known, given)
