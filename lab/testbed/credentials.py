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
CA = "lab CA"
PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
LIFETIME = timedelta(days=30)

_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
Files = dict[str, bytes]


def make(clients: int = 1) -> dict[str, Files]:
    """The files of FOLDER for each endpoint.

    ca.crt, end.crt, end.key, peer.crt (PEM, RSA 2048: the oldest protocols accept it), end.p12 with p12.password;
    password and psk, the same at both endpoints; x25519.key, x25519.pub, peer-x25519.pub (base64).

    With more `clients`, the client has a folder `clients/NUMBER` for each but the first, with the same files, and the
    server one of the same name, with what it knows of that client: peer.crt and peer-x25519.pub.
    """
    authority = _Authority()
    server, client = (_End(authority, end, end) for end in ENDS)
    files = {"server": server.own() | client.known(), "client": client.own() | server.known()}
    for number in range(2, clients + 1):
        other = _End(authority, f"client-{number}", "client")
        folder = f"clients/{number}"
        files["server"] |= {f"{folder}/{name}": content for name, content in other.known().items()}
        files["client"] |= {f"{folder}/{name}": content for name, content in (other.own() | server.known()).items()}
    return files


class _Authority:
    """The CA of a lab, whose key is never written, and the secrets that all endpoints share."""

    def __init__(self) -> None:
        self.key, self.name = new_key(), name_of(CA)
        self.certificate = certificate(self.name, self.key.public_key(), self.name, self.key)
        self.password = secrets.token_urlsafe(24).encode()
        self.psk = base64.b64encode(secrets.token_bytes(32))


class _End:
    """The keys and the certificate of one endpoint, by its name. Its role is `server` or `client`."""

    def __init__(self, authority: _Authority, name: str, role: str) -> None:
        self.authority, self.name = authority, name
        self.key, self.curve = new_key(), x25519.X25519PrivateKey.generate()
        self.certificate = certificate(
            name_of(name), self.key.public_key(), authority.name, authority.key, purposes=[PURPOSES[role]]
        )

    def own(self) -> Files:
        """What it alone has, and what all have."""
        authority, passphrase = self.authority, secrets.token_urlsafe(24).encode()
        bundle = pkcs12.serialize_key_and_certificates(
            self.name.encode(),
            self.key,
            self.certificate,
            [authority.certificate],
            serialization.BestAvailableEncryption(passphrase),
        )
        return {
            "ca.crt": authority.certificate.public_bytes(serialization.Encoding.PEM),
            "end.crt": self.certificate.public_bytes(serialization.Encoding.PEM),
            "end.key": pem_of(self.key),
            "end.p12": bundle,
            "p12.password": passphrase,
            "password": authority.password,
            "psk": authority.psk,
            "x25519.key": base64.b64encode(self.curve.private_bytes_raw()),
            "x25519.pub": self._public(),
        }

    def known(self) -> Files:
        """What its peer has of it."""
        certificate = self.certificate.public_bytes(serialization.Encoding.PEM)
        return {"peer.crt": certificate, "peer-x25519.pub": self._public()}

    def _public(self) -> bytes:
        return base64.b64encode(self.curve.public_key().public_bytes(*_RAW))


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
