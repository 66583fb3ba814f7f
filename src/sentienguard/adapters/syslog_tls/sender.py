"""Send frames to a syslog receiver, and know that it has read them.

RFC 5425 has no acknowledgement of a message, but an end of a connection that both sides confirm
(section 4.4): who gets our closure alert has read everything before it, and answers with its own. A
batch is therefore one connection, and counts as delivered when it has ended so. Receivers that
close without a word are common; theirs counts too, because a system resets a connection, rather
than ending it, where something in it was left unread. What a receiver loses after reading is beyond
all this.
"""

import pathlib
import socket
import ssl
from typing import Final

from sentienguard.model import errors

CONNECT_S: Final = 10.0
SETTLE_S: Final = 30.0  # a receiver that takes or answers nothing for so long is away


class ReceiverAway(errors.Unavailable):
    """The receiver cannot be reached, or did not take everything."""


class ReceiverNotTrusted(errors.Rejected):
    """The receiver's certificate is not one that the given authority signed for this name."""


def trusting(
    authority: pathlib.Path,
    certificate: pathlib.Path | None = None,
    key: pathlib.Path | None = None,
) -> ssl.SSLContext:
    """Return how receivers are judged, and with which certificate we come. Raises Rejected."""
    try:
        context = ssl.create_default_context(cafile=str(authority))
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except OSError as error:
        raise errors.Rejected(f"{authority}: expected certificates in PEM: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # what RFC 5425 asks for as updated
    return context


def deliver(host: str, port: int, context: ssl.SSLContext, frames: bytes) -> None:
    """Send frames in one connection and return when the receiver has read them all.

    Raises ReceiverAway, after which nobody knows how many of them it has; ReceiverNotTrusted.
    """
    where = f"{host}:{port}"
    try:
        plain = socket.create_connection((host, port), CONNECT_S)
    except OSError as error:
        raise ReceiverAway(f"{where}: {error.strerror or error}") from error
    with plain:
        plain.settimeout(SETTLE_S)
        try:
            with context.wrap_socket(plain, server_hostname=host) as tls:
                tls.sendall(frames)
                _end(tls)
        except ssl.SSLCertVerificationError as error:
            text = f"{where}: {error.verify_message}; name its authority with --ca"
            raise ReceiverNotTrusted(text) from error
        except OSError as error:
            raise ReceiverAway(f"{where}: it did not take everything: {error}") from error


def _end(tls: ssl.SSLSocket) -> None:
    """Say that this was all, and hear the same. Raises OSError."""
    try:
        tls.unwrap()
    except ssl.SSLEOFError:
        return  # it closed without a word, nothing unread: a reset would have come instead
