# SPDX-License-Identifier: MIT
"""Secrets of one lab. They are made when the lab starts, are kept in its volumes, and are removed with it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ENDS = ("server", "client")
FOLDER = "/run/credentials"
"""Where a container has its own."""
SECRET = ("end.key", "p12.password", "password", "psk", "x25519.key")
"""The files that nobody else may read. (end.p12 is worth nothing without its password.)"""
PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
LIFETIME = timedelta(days=30)

_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def make() -> dict[str, dict[str, bytes]]:
    """The files of FOLDER for each endpoint.

    ca.crt, end.crt, end.key, peer.crt (PEM, RSA 2048: the oldest protocols accept it), end.p12 with p12.password;
    password and psk, the same at both endpoints; x25519.key, x25519.pub, peer-x25519.pub (base64).
    """
    ca_key, ca_name = new_key(), name_of("lab CA")
    ca = certificate(ca_name, ca_key.public_key(), ca_name, ca_key)
    keys = {end: new_key() for end in ENDS}
    certificates = {
        end: certificate(name_of(end), keys[end].public_key(), ca_name, ca_key, purposes=[PURPOSES[end]])
        for end in ENDS
    }
    curve = {end: x25519.X25519PrivateKey.generate() for end in ENDS}
    password = secrets.token_urlsafe(24).encode()
    psk = base64.b64encode(secrets.token_bytes(32))
    files = {}
    for end, peer in (("server", "client"), ("client", "server")):
        passphrase = secrets.token_urlsafe(24).encode()
        bundle = pkcs12.serialize_key_and_certificates(
            end.encode(), keys[end], certificates[end], [ca], serialization.BestAvailableEncryption(passphrase)
        )
        files[end] = {
            "ca.crt": ca.public_bytes(serialization.Encoding.PEM),
            "end.crt": certificates[end].public_bytes(serialization.Encoding.PEM),
            "end.key": pem_of(keys[end]),
            "peer.crt": certificates[peer].public_bytes(serialization.Encoding.PEM),
            "end.p12": bundle,
            "p12.password": passphrase,
            "password": password,
            "psk": psk,
            "x25519.key": base64.b64encode(curve[end].private_bytes_raw()),
            "x25519.pub": base64.b64encode(curve[end].public_key().public_bytes(*_RAW)),
            "peer-x25519.pub": base64.b64encode(curve[peer].public_key().public_bytes(*_RAW)),
        }
    return files


def pem_of(key: rsa.RSAPrivateKey) -> bytes:
    """A private key as PEM, without a passphrase."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def new_key() -> rsa.RSAPrivateKey:
    """A private key: RSA 2048, which the oldest protocols accept."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def name_of(text: str) -> x509.Name:
    """A name for a certificate."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    subject: x509.Name, key: rsa.RSAPublicKey, issuer: x509.Name, issuer_key: rsa.RSAPrivateKey,
    *, purposes: Sequence[x509.ObjectIdentifier] = (), lifetime: timedelta = LIFETIME,
) -> x509.Certificate:  # fmt: skip
    """A certificate of an endpoint for these purposes, or of the CA itself if there are none."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=not purposes, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(_usage(authority=not purposes), critical=True)
    )
    if purposes:
        dns = x509.DNSName(str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value))
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([dns]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_encipherment=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
