"""Hash and check passwords.

Called by `users`. argon2id as argon2-cffi sets it by default (RFC 9106, low memory): 64 MiB, 3
passes, 4 lanes, 32-byte hash, 16-byte salt; about 0.1 s. A check for a name that nobody has does
the same work on a made-up hash, so that time does not tell which names exist. Who has no account
can ask for this work as often as they like: a few are waited for, the next are told to come again,
so that a flood of sign-ins keeps nobody from the kill switch.
"""

import base64
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

import argon2

from sentienguard.model import errors

MIN_LENGTH = 12  # characters; NIST SP 800-63B asks for 8, more where there is no second factor
MAX_LENGTH = 1024  # characters; nobody types more, and hashing more is work for an attacker's sake
_AT_ONCE = 2  # hashes of 64 MiB each; more sign-ins wait their turn instead of taking memory
PLACES = 8  # sign-ins at work or waiting; each holds one of the 40 threads that answer people


class TooManyAtOnce(errors.TooMany):
    """More sign-ins than are waited for; none of them was looked at."""


class Passwords:
    """Hashes passwords with one set of parameters."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._turn = threading.BoundedSemaphore(_AT_ONCE)
        self._places = threading.BoundedSemaphore(PLACES)
        self._nobody = _hash_of_nothing(self._hasher)

    @property
    def of_nobody(self) -> str:
        """What to keep for an account that no password opens."""
        return self._nobody

    def hash(self, password: str) -> str:
        """Return what to keep of a new password.

        Raises Rejected on one too short or too long, TooManyAtOnce.
        """
        length = len(_normal(password))
        if not MIN_LENGTH <= length <= MAX_LENGTH:
            raise errors.Rejected(
                f"the password has {length} characters; expected {MIN_LENGTH} to {MAX_LENGTH}"
            )
        with self._place():
            return self._hasher.hash(_bytes(password))

    def matches(self, password: str, kept: str | None) -> bool:
        """Tell whether a password belongs to a kept hash; for None, as slowly, that it does not.

        Raises Broken where the kept hash is none, TooManyAtOnce.
        """
        if len(password) > MAX_LENGTH:
            password = ""  # shorter than any that was kept, so it matches nothing
        try:
            with self._place():
                self._hasher.verify(self._nobody if kept is None else kept, _bytes(password))
        except argon2.exceptions.InvalidHashError as error:
            raise errors.Broken(
                "a stored password hash cannot be read; restore the row from a backup"
            ) from error
        except argon2.exceptions.VerificationError:
            return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Tell whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Wait for a turn, where there is a place to wait in. Raises TooManyAtOnce."""
        if not self._places.acquire(blocking=False):
            raise TooManyAtOnce("many people log in at this moment; try again in a few seconds")
        try:
            with self._turn:
                yield
        finally:
            self._places.release()


def _normal(password: str) -> str:
    """Return one spelling of a password, whichever way a keyboard composes its letters."""
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    """Return what is hashed; total, since a request may hold half a surrogate pair."""
    return _normal(password).encode("utf-8", "surrogatepass")


def _hash_of_nothing(hasher: argon2.PasswordHasher) -> str:
    """Return a hash in today's parameters that no password has (all zero, without hashing)."""
    salt, result = (
        base64.b64encode(bytes(size)).decode().rstrip("=")
        for size in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${result}"
