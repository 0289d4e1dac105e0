# SPDX-License-Identifier: MIT
"""Which Docker engine is asked, as `docker` beside it would, and what is said where none answers."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import docker
import pytest
import requests
from docker.errors import APIError, DockerException
from rich.console import Console

from lab.core.errors import LabError
from lab.engines import images
from lab.engines.build import build
from lab.engines.build_progress import BuildProgress, Estimate
from lab.engines.engine import Engine, because, connect

DEAD = "unix:///nonexistent/docker.sock"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of Docker's own settings, and no word of them in the environment."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def context(config: Path, name: str, text: str = "") -> str:
    """Make a context; returns where its engine would be."""
    folder = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    host = f"unix://{config}/{name}.sock"
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (folder / "meta.json").write_text(text or json.dumps(meta))
    return host


def refusal() -> LabError:
    with pytest.raises(LabError) as caught:
        connect()
    return caught.value


def test_the_current_context_is_followed(config: Path) -> None:
    host = context(config, "mine")
    (config / "config.json").write_text('{"currentContext": "mine"}')
    said = refusal()
    assert (
        said.message == f"no Docker engine answers at {host}, of the Docker context 'mine': No such file or directory"
    )
    assert "docker context use" in said.hint


def test_the_environment_goes_before_the_current_context(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, _ = context(config, "other"), context(config, "mine")
    (config / "config.json").write_text('{"currentContext": "mine"}')
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    assert f"at {host}, of the Docker context 'other'" in refusal().message
    monkeypatch.setenv("DOCKER_HOST", DEAD)
    assert refusal().message == f"no Docker engine answers at DOCKER_HOST={DEAD}: No such file or directory"


@pytest.mark.parametrize("where", ["DOCKER_CONTEXT", "config.json"])
def test_a_context_that_is_not_there_is_no_other(where: str, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == "DOCKER_CONTEXT":
        monkeypatch.setenv("DOCKER_CONTEXT", "nonesuch")
    else:
        (config / "config.json").write_text('{"currentContext": "nonesuch"}')
    said = refusal()
    assert said.message == "there is no Docker context 'nonesuch'"
    assert "docker context ls" in said.hint


def test_a_context_that_cannot_be_read(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context(config, "mine", "{")
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    assert refusal().message.startswith("the Docker context 'mine' cannot be read: ")


def test_certificates_that_are_not_there(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(config))
    (config / "ca.pem").touch()
    said = refusal()
    assert said.message == f"cannot connect to the Docker engine: {config} has no cert.pem and no key.pem"
    assert "DOCKER_TLS_VERIFY" in said.hint


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("tcp://127.0.0.1:1", "Connection refused"),
        ("tcp://nonesuch.invalid:1", "Name or service not known"),
        ("nonsense://x", "Invalid bind address protocol: nonsense://x"),
        ("tcp://127.0.0.1:99999", "Port out of range 0-65535"),
    ],
)
def test_why_is_said_in_the_words_of_the_system(host: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    said = refusal().message
    assert said.startswith(f"no Docker engine answers at DOCKER_HOST={host}: ")
    assert why in said or "name resolution" in said
    assert "HTTPConnection" not in said


def test_the_engines_own_words_come_first() -> None:
    assert because(APIError("500 Server Error", None, "no such thing")) == "no such thing"
    assert because(DockerException("of its own")) == "of its own"


def test_an_engine_that_is_silent() -> None:
    silent = requests.exceptions.ReadTimeout("UnixHTTPConnectionPool(host='localhost', port=None): Read timed out.")
    silent.__cause__ = TimeoutError("timed out")
    assert because(silent) == "no answer in time"


def test_a_missing_helper_for_credentials(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docker-py asks it for all credentials before it sends what is to be built."""
    (config / "config.json").write_text('{"credsStore": "nonesuch"}')
    client = docker.DockerClient(base_url=DEAD, version="1.41")
    engine = Engine(client, facts={})
    monkeypatch.setattr(Engine, "image_id", lambda *_: "sha256:0")
    monkeypatch.setattr(images, "labels", lambda *_: [])
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    progress = BuildProgress(Console(file=io.StringIO()), Estimate({}))
    with pytest.raises(LabError, match="cannot be had: docker-credential-nonesuch not installed") as caught:
        build(engine, [tmp_path], progress)
    assert "credsStore" in caught.value.hint
