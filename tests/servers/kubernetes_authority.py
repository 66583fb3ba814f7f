"""An authority and a certificate for 127.0.0.1, for the API server of the tests."""

import datetime as dt
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def make(place: pathlib.Path) -> None:
    """Write ca.pem, and server.pem with server.key that it signed."""
    now = dt.datetime.now(dt.UTC)
    authority, own = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test cluster")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kube-apiserver")])

    def signed(name: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(authority, hashes.SHA256())

    pem = serialization.Encoding.PEM
    (place / "ca.pem").write_bytes(signed(issuer, authority, ca=True).public_bytes(pem))
    (place / "server.pem").write_bytes(signed(subject, own, ca=False).public_bytes(pem))
    plain = serialization.NoEncryption()
    (place / "server.key").write_bytes(
        own.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
