# SPDX-License-Identifier: MIT
"""The certificates of a cluster: an authority of its own, and for each machine a key and Dask's configuration."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.core import files
from lab.core.errors import LabError, UsageError
from lab.engines.ownership import CALLED
from lab.testbed.credentials import PURPOSES, certificate, name_of, new_key, pem_of

LIFETIME = timedelta(days=365)
RENEWED = timedelta(days=30)
"""A certificate that is valid for less than this is made anew."""
AUTHORITY = "lab cluster CA"


def make(folder: Path, names: Sequence[str]) -> list[Path]:
    """The folder of each name, with `ca.crt`, `end.crt`, `end.key` and `dask.yaml`. What is valid is left as it is.

    The authority's own key stays in `folder`: whoever has it can let machines into the cluster. All keys are readable
    by their owner alone.

    Raises:
        UsageError: a name is not valid. LabError: a file cannot be read or written.
    """
    for name in names:
        if not CALLED.fullmatch(name):
            raise UsageError(
                f"{name!r} is not a valid name", "begin with a letter or digit; then also `.`, `_` and `-`"
            )
    try:
        _folder(folder)
        key, authority = _authority(folder)
        return [_member(folder / name, key, authority) for name in names]
    except (OSError, ValueError) as error:
        raise LabError(f"{folder}: {error}", "choose an empty folder, or remove what is there") from error


def configuration(folder: Path) -> str:
    """Dask's configuration for the certificates in a folder: TLS, and nothing else.

    A unit that three workers died under is given up. A machine that does not answer for two minutes is lost. Workers
    show no pages: their HTTP server has no TLS.
    """
    pair = {"cert": str(folder / "end.crt"), "key": str(folder / "end.key")}
    tls = {"ca-file": str(folder / "ca.crt"), "client": pair, "scheduler": {**pair}, "worker": {**pair}}
    return yaml.safe_dump(
        {
            "distributed": {
                "comm": {"default-scheme": "tls", "require-encryption": True, "tls": {**tls, "min-version": 1.3}},
                "scheduler": {"allowed-failures": 2, "worker-ttl": "2 minutes"},
                "worker": {"http": {"routes": []}},
            }
        },
        sort_keys=False,
    )


def _authority(folder: Path) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """The key and certificate of the authority in a folder: those that are there, or new ones."""
    key_file, file = folder / "ca.key", folder / "ca.crt"
    if key_file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        authority = x509.load_pem_x509_certificate(file.read_bytes())
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"{key_file.name} is no RSA key")
        if _is_valid(authority):
            return key, authority
    key = new_key()
    name = name_of(AUTHORITY)
    authority = certificate(name, key.public_key(), name, key, lifetime=LIFETIME)
    _write(file, authority.public_bytes(serialization.Encoding.PEM))
    _write(key_file, pem_of(key))
    return key, authority


def _member(folder: Path, authority_key: rsa.RSAPrivateKey, authority: x509.Certificate) -> Path:
    """Make what a machine needs, unless it has that."""
    _folder(folder)
    ca = authority.public_bytes(serialization.Encoding.PEM)
    file = folder / "end.crt"
    is_current = (
        (folder / "ca.crt").exists() and (folder / "ca.crt").read_bytes() == ca and (folder / "end.key").exists()
    )
    if not (is_current and file.exists() and _is_valid(x509.load_pem_x509_certificate(file.read_bytes()))):
        key = new_key()
        own = certificate(
            name_of(folder.name), key.public_key(), authority.subject, authority_key,
            purposes=list(PURPOSES.values()), lifetime=LIFETIME,
        )  # fmt: skip
        _write(folder / "end.key", pem_of(key))
        _write(file, own.public_bytes(serialization.Encoding.PEM))
        _write(folder / "ca.crt", ca)
    _write(folder / "dask.yaml", configuration(folder.resolve()).encode())
    return folder


def _is_valid(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - datetime.now(UTC) > RENEWED


def _folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from the first moment on."""
    before = os.umask(0o077)
    try:
        files.write(path, content)
    finally:
        os.umask(before)
