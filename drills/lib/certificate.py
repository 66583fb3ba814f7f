"""Write a self-signed certificate with its key into one PEM file: FILE DAYS_OLD DAYS_LEFT."""

# ruff: noqa: INP001, TID251 - a program of its own

import datetime as dt
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

file, old, left = pathlib.Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")])
now = dt.datetime.now(dt.UTC)
made = (
    x509.CertificateBuilder()
    .subject_name(name)
    .issuer_name(name)
    .public_key(key.public_key())
    .serial_number(x509.random_serial_number())
    .not_valid_before(now - dt.timedelta(days=old))
    .not_valid_after(now + dt.timedelta(days=left))
    .sign(key, hashes.SHA256())
)
text = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
draft = file.with_suffix(".draft")
draft.write_bytes(text)
draft.chmod(0o600)
draft.rename(file)
