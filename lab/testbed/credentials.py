# SPDX-License-Identifier: MIT
"""Secrets of one lab. They are made when the lab starts, are kept in its volumes, and are removed with it."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ENDS = ("server", "client")
LIFETIME = timedelta(days=30)

_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def make() -> dict[str, dict[str, bytes]]:
    """The files of /run/credentials for each endpoint.

    ca.crt, end.crt, end.key, peer.crt (PEM, RSA 2048: the oldest protocols accept it), end.p12 with p12.password;
    password and psk, the same at both endpoints; x25519.key, x25519.pub, peer-x25519.pub (base64).
    """
    ca_key = _rsa()
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab CA")])
    ca = _certificate(ca_name, ca_key.public_key(), ca_name, ca_key, end=None)
    keys = {end: _rsa() for end in ENDS}
    certificates = {
        end: _certificate(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, end)]), keys[end].public_key(), ca_name, ca_key, end=end
        )
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
            "end.key": keys[end].private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
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


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _certificate(
    subject: x509.Name, key: rsa.RSAPublicKey, issuer: x509.Name, issuer_key: rsa.RSAPrivateKey, *, end: str | None
) -> x509.Certificate:
    """A certificate for the endpoint `end`, or for the CA itself if `end` is None."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=end is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(_usage(authority=end is None), critical=True)
    )
    if end is not None:
        purpose = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}[end]
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(end)]), critical=False)
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
