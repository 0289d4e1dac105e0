# SPDX-License-Identifier: MIT
import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from lab.testbed.credentials import make

Files = dict[str, dict[str, bytes]]
PEER = {"server": "client", "client": "server"}
ENDS = pytest.mark.parametrize("end", PEER)


@pytest.fixture(scope="module")
def files() -> Files:
    return make()


@ENDS
def test_every_file_is_there(files: Files, end: str) -> None:
    assert set(files[end]) == {
        "ca.crt", "end.crt", "end.key", "end.p12", "p12.password", "password", "peer.crt", "peer-x25519.pub", "psk",
        "x25519.key", "x25519.pub",
    }  # fmt: skip


@ENDS
def test_the_certificate_is_the_ends_own(files: Files, end: str) -> None:
    certificate = x509.load_pem_x509_certificate(files[end]["end.crt"])
    key = load_pem_private_key(files[end]["end.key"], password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == f"CN={end}"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    wanted = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
    assert list(usage) == [wanted[end]]
    assert files[end]["peer.crt"] == files[PEER[end]]["end.crt"]
    assert files[end]["ca.crt"] == files[PEER[end]]["ca.crt"]


def test_the_authority_vouches_for_both_ends(files: Files) -> None:
    authority = x509.load_pem_x509_certificate(files["server"]["ca.crt"])
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    policy = PolicyBuilder().store(Store([authority]))
    server = x509.load_pem_x509_certificate(files["server"]["end.crt"])
    assert policy.build_server_verifier(x509.DNSName("server")).verify(server, [])
    client = policy.build_client_verifier().verify(x509.load_pem_x509_certificate(files["client"]["end.crt"]), [])
    assert client.subjects == [x509.DNSName("client")]


@ENDS
def test_the_bundle_holds_the_same(files: Files, end: str) -> None:
    key, certificate, others = pkcs12.load_key_and_certificates(files[end]["end.p12"], files[end]["p12.password"])
    assert certificate == x509.load_pem_x509_certificate(files[end]["end.crt"])
    assert others == [x509.load_pem_x509_certificate(files[end]["ca.crt"])]
    assert key is not None
    assert certificate is not None
    assert key.public_key() == certificate.public_key()


@ENDS
def test_the_keys_of_the_curve_fit(files: Files, end: str) -> None:
    private = x25519.X25519PrivateKey.from_private_bytes(base64.b64decode(files[end]["x25519.key"]))
    assert base64.b64encode(private.public_key().public_bytes_raw()) == files[end]["x25519.pub"]
    assert files[end]["peer-x25519.pub"] == files[PEER[end]]["x25519.pub"] != files[end]["x25519.pub"]


def test_shared_secrets_are_shared_and_on_one_line(files: Files) -> None:
    for name in ("password", "psk"):
        assert files["server"][name] == files["client"][name]
        assert b"\n" not in files["server"][name]
    assert len(base64.b64decode(files["server"]["psk"])) == 32
    assert len(files["server"]["password"]) >= 24


def test_no_two_labs_share_a_secret(files: Files) -> None:
    other = make()
    for name in ("end.key", "end.p12", "p12.password", "password", "psk", "x25519.key"):
        assert other["server"][name] != files["server"][name]
