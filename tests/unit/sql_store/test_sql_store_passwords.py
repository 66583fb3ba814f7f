"""A wrong name costs as much as a wrong password, and neither crashes anything."""

import threading
from typing import Any

import argon2
import pytest

from sentienguard.adapters.sql_store import passwords, tokens
from sentienguard.adapters.sql_store.passwords import Passwords
from sentienguard.model import errors

CHEAP: dict[str, Any] = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


class CountingHasher(argon2.PasswordHasher):
    """Remembers the parameters of each hash that it did the work for."""

    def __init__(self) -> None:
        super().__init__(**CHEAP)
        self.worked: list[argon2.Parameters] = []
        self.longest = 0  # bytes of a password that were hashed

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002  # its name
        self.worked.append(argon2.extract_parameters(str(hash)))
        self.longest = max(self.longest, len(password))
        return super().verify(hash, password)


def test_a_check_for_nobody_does_the_work_of_a_check_for_somebody() -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    kept = passwords.hash("correct horse battery")
    assert not passwords.matches("correct horse battery", None)
    assert not passwords.matches("wrong horse battery", kept)
    nobody, somebody = hasher.worked
    assert nobody == somebody


def test_a_flood_of_sign_ins_is_told_to_come_again_and_holds_few_threads() -> None:
    opened = threading.Event()

    class Slow(CountingHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002  # its name
            assert opened.wait(20)
            return super().verify(hash, password)

    found = Passwords(Slow())
    refused: list[str] = []

    def ask() -> None:
        try:
            found.matches("correct horse battery", None)
        except passwords.TooManyAtOnce as cause:
            refused.append(str(cause))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(40)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(0.2 if len(refused) < len(threads) - passwords.PLACES else 0)
    held = sum(one.is_alive() for one in threads)
    opened.set()
    for one in threads:
        one.join(20)
    assert (held, len(refused)) == (passwords.PLACES, 40 - passwords.PLACES)
    assert not found.matches("correct horse battery", None), "places are given back"


def test_nobodys_hash_is_made_with_the_parameters_of_new_passwords() -> None:
    passwords = Passwords()
    assert not passwords.is_outdated(passwords._nobody)
    parameters = argon2.extract_parameters(passwords._nobody)
    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (65536, 3, 4)


@pytest.mark.parametrize("password", ["", "x", "correct horse battery", "\ud800" * 12, "x" * 9999])
def test_nobodys_hash_has_no_password(password: str) -> None:
    assert not Passwords(CountingHasher()).matches(password, None)


def test_an_endless_password_is_not_hashed_but_costs_the_same() -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    assert not passwords.matches("x" * 10**6, passwords.hash("x" * 1024))
    assert len(hasher.worked) == 1
    assert hasher.longest <= 1024


def test_a_hash_of_other_parameters_is_outdated() -> None:
    old = argon2.PasswordHasher(**CHEAP).hash("correct horse battery")
    passwords = Passwords()
    assert passwords.is_outdated(old)
    assert passwords.matches("correct horse battery", old)


def test_a_kept_text_that_is_no_hash_is_broken() -> None:
    with pytest.raises(errors.Broken, match="restore the row"):
        Passwords(CountingHasher()).matches("correct horse battery", "plain text")


def test_a_token_is_named_by_its_sha256() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tokens.digest("") == empty
    assert tokens.digest("a") != tokens.digest("A")
    assert len(tokens.digest("\ud800")) == 64
