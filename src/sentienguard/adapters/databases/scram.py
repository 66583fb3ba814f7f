"""SCRAM-SHA-256 as a client, RFC 5802 and 7677, without channel binding.

Called by `postgresql`. The server proves that it knows the password as well; one that cannot is not
believed.
"""

import base64
import hashlib
import hmac

from sentienguard.adapters.databases import wire

MECHANISM = b"SCRAM-SHA-256"
_MOST_ROUNDS = 1_000_000  # a server that asks for more wants our processor


class Exchange:
    """One login. `nonce` is fresh random text of printable ASCII without a comma."""

    def __init__(self, password: str, nonce: str) -> None:
        self._password = password.encode()
        self._nonce = nonce
        self._bare = f"n=,r={nonce}"  # the user name travels in the start-up message
        self._server_signature = b""

    def first(self) -> bytes:
        """Return the first message of the client."""
        return f"n,,{self._bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        """Answer the challenge of the server. Raises ValueError."""
        text = challenge.decode("ascii")
        fields = dict(part.split("=", 1) for part in text.split(","))
        rounds = int(fields["i"])
        if not fields["r"].startswith(self._nonce) or not 0 < rounds <= _MOST_ROUNDS:
            raise ValueError("the challenge of the server does not belong to this login")
        salted = hashlib.pbkdf2_hmac(
            "sha256", self._password, base64.b64decode(fields["s"], validate=True), rounds
        )
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={fields['r']}"
        signed = f"{self._bare},{text},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        self._server_signature = hmac.digest(server_key, signed, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, answer: bytes) -> None:
        """Check the proof of the server. Raises wire.Refused."""
        expected = b"v=" + base64.b64encode(self._server_signature)
        if not hmac.compare_digest(answer, expected):
            raise wire.Refused("the server does not know the password itself")
