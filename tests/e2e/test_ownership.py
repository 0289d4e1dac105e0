# SPDX-License-Identifier: MIT
"""What is not the lab's is neither shown nor touched, and what is the lab's goes, whatever holds a part of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Network
from typing import Any, cast

import pytest
from docker.models.containers import Container

from lab.engines import guest, ownership
from lab.engines.engine import Engine
from lab.engines.ownership import NAME

from .command import Lab, left_behind
from .test_labs import Occupied, free, state

pytestmark = pytest.mark.docker

WRITE = ["sh", "-c", "echo precious >/data/file; exec sleep infinity"]
PARTS = ("client", "client-load", "meter", "server", "server-load")


@contextmanager
def stranger(engine: Engine, name: str, **options: Any) -> Iterator[Container]:
    """A container that no lab made; gone afterwards, with its volumes."""
    image = options.pop("image", "lab/base:latest")
    container = engine.client.containers.run(image, name=name, init=True, detach=True, **options)
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def kept(container: Container) -> str:
    """What a stranger has in its volume."""
    return cast(bytes, container.exec_run(["cat", "/data/file"]).output).decode().strip()


def of(lab: Lab, name: str) -> list[str]:
    """What there is of a lab."""
    return list(left_behind(lab.engine, lambda labels: labels[NAME] == name))


@pytest.mark.parametrize(
    "labels",
    [
        {"lab": "e2e-mystuff", "lab.engines.ownership": "nonsense", "lab.vm": "{}"},
        # What is called otherwise than a lab's thing is none, whatever its labels say.
        ownership.labels("e2e-mystuff", held=False) | {guest.LABEL: "{}", guest.DISK: ""},
    ],
    ids=["other", "ours"],
)
def test_a_strangers_container_and_its_data_stay(lab: Lab, labels: dict[str, str]) -> None:
    engine = lab.engine.client
    volume = engine.volumes.create("mystuff-data", labels=labels)
    network = engine.networks.create("mystuff-net", labels=labels)
    mounts = {"mystuff-data": {"bind": "/data", "mode": "rw"}}
    try:
        with stranger(
            lab.engine, "mystuff", labels=labels, command=WRITE, volumes=mounts, network="mystuff-net"
        ) as other:
            assert state(lab, "e2e-mystuff") is None
            done = lab("down", "--name", "e2e-mystuff")
            assert done.status == 2
            assert "no lab named 'e2e-mystuff' is up" in done.text
            lab.ok("down", "--all")
            lab.ok("vm", "status")
            other.reload()
            assert other.status == "running"
            assert kept(other) == "precious"
        volume.reload()
        network.reload()
    finally:
        network.remove()
        volume.remove(force=True)


def test_a_container_of_an_image_that_was_committed_from_a_lab(lab: Lab) -> None:
    """It carries the lab's labels on, and is somebody's own."""
    lab.ok("up", "plain", "--name", "e2e-commit")
    image = lab.engine.client.containers.get("lab-e2e-commit-client").commit("own/commit", "e2e")
    try:
        with stranger(lab.engine, "committed", image="own/commit:e2e", command=["sleep", "infinity"]) as other:
            assert other.labels[NAME] == "e2e-commit"
            lab.ok("down", "--name", "e2e-commit")
            other.reload()
            assert other.status == "running"
            assert state(lab, "e2e-commit") is None
    finally:
        lab.engine.client.images.remove(str(image.id), force=True)


def test_a_volume_of_that_name_is_somebody_elses(lab: Lab) -> None:
    """The engine would give it away, and the lab would write its secrets beside what is in it."""
    volume = lab.engine.client.volumes.create("lab-e2e-taken-client-credentials")
    try:
        done = lab("up", "plain", "--name", "e2e-taken")
        assert done.status == 1
        assert "the volume lab-e2e-taken-client-credentials exists, and does not belong to this lab" in done.text
        assert "choose another --name" in done.text
        assert not of(lab, "e2e-taken")
        listed = lab.engine.once(
            "lab/base:latest", ["ls", "/it"], volumes={str(volume.name): {"bind": "/it", "mode": "ro"}}
        )
        assert not listed.stdout
    finally:
        volume.remove()


def test_a_network_of_that_name_is_somebody_elses(lab: Lab) -> None:
    network = lab.engine.client.networks.create("lab-e2e-taken-wire")
    try:
        done = lab("up", "plain", "--name", "e2e-taken")
        assert done.status == 1
        assert "the wire of lab 'e2e-taken' could not be made" in done.text
        assert "it is not the lab's: choose another name" in done.text
        network.reload()
    finally:
        network.remove()


def test_secrets_go_only_to_volumes_that_compose_made(lab: Lab) -> None:
    names = [f"e2eown_{end}-credentials" for end in ("server", "client")]
    with ExitStack() as stack:
        for name in names:
            stack.callback(lab.engine.client.volumes.create(name).remove)
        done = lab("credentials", "--project", "e2eown")
        assert done.status == 1
        assert "the volume e2eown_server-credentials was not made by Compose for the project 'e2eown'" in done.text
        mounts = {name: {"bind": f"/it/{number}", "mode": "ro"} for number, name in enumerate(names)}
        listed = lab.engine.once("lab/base:latest", ["find", "/it", "-type", "f"], volumes=mounts)
        assert not listed.stdout


def test_secrets_go_to_volumes_that_compose_made(lab: Lab) -> None:
    with ExitStack() as stack:
        for end in ("server", "client"):
            told = {"com.docker.compose.project": "e2eown", "com.docker.compose.volume": f"{end}-credentials"}
            made = lab.engine.client.volumes.create(f"e2eown_{end}-credentials", labels=told)
            stack.callback(made.remove)
        said = lab.ok("credentials", "--project", "e2eown").text
        assert "new secrets in e2eown_server-credentials and e2eown_client-credentials" in said


def test_what_has_ended_is_said_to_have(lab: Lab) -> None:
    lab.ok("up", "plain", "--name", "e2e-ended")
    ends = {part: lab.engine.client.containers.get(f"lab-e2e-ended-{part}") for part in PARTS}
    assert (state(lab, "e2e-ended") or {})["state"] == "up"
    ends["client"].kill()
    assert (state(lab, "e2e-ended") or {})["state"] == "up, but for what has ended: client"
    for part in PARTS:
        if part != "client":
            ends[part].kill()
    ended = f"ended: {', '.join(PARTS)}"
    assert (state(lab, "e2e-ended") or {})["state"] == ended
    again = lab("up", "plain", "--name", "e2e-ended")
    assert f"a lab named 'e2e-ended' is there already ({ended})" in again.text
    assert f"e2e-ended ({ended})" in lab("down", "--name", "e2e-another").text
    for each in ends.values():
        each.remove(force=True)
    assert (state(lab, "e2e-ended") or {})["state"] == "ended: no container is left"
    lab.ok("down", "--name", "e2e-ended")
    assert not of(lab, "e2e-ended")


def test_down_goes_on_where_something_is_held(lab: Lab) -> None:
    """Somebody else's container is at the wire: all but the wire goes, the private keys before anything."""
    lab.ok("up", "plain", "--name", "e2e-held")
    with stranger(lab.engine, "guest-at-the-wire", command=["sleep", "infinity"], network="lab-e2e-held-wire"):
        done = lab("down", "--name", "e2e-held")
        assert done.status == 1
        assert "lab 'e2e-held': 1 of 10 containers, networks and volumes could not be removed:" in done.text
        assert "network lab-e2e-held-wire: held by container guest-at-the-wire" in done.text
        assert "then `lab down --name e2e-held` again" in done.text
        assert of(lab, "e2e-held") == ["network lab-e2e-held-wire"]
    assert "1 containers, networks and volumes removed" in lab.ok("down", "--name", "e2e-held").text
    assert not of(lab, "e2e-held")


def test_down_says_who_holds_a_volume_and_takes_the_other_labs_down(lab: Lab) -> None:
    for name in ("e2e-held", "e2e-other"):
        lab.ok("up", "plain", "--name", name)
    mounts = {"lab-e2e-held-payload": {"bind": "/data", "mode": "ro"}}
    with stranger(lab.engine, "reader", command=["sleep", "infinity"], volumes=mounts):
        done = lab("down", "--all")
        assert done.status == 1
        assert "volume lab-e2e-held-payload: held by container reader" in done.text
        assert of(lab, "e2e-held") == ["volume lab-e2e-held-payload"]
        assert not of(lab, "e2e-other")
    lab.ok("down", "--all")


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes routes")
@pytest.mark.parametrize("place", [["table", "4242"], []], ids=["another-table", "main"])
def test_a_route_of_this_machine_is_left_alone(lab: Lab, engine: Engine, place: list[str]) -> None:
    """Another VPN's: a wire over it would take its traffic."""
    spare = free(engine)
    occupied = Occupied(engine, spare)
    route = [str(next(spare.subnets(new_prefix=25))), "dev", "lo", *place]
    try:
        occupied.networks.remove(occupied.spare)
        occupied.spare.remove()
        subprocess.run(["ip", "route", "add", *route], check=True)
        try:
            done = lab("up", "plain", "--name", "e2e-route")
        finally:
            subprocess.run(["ip", "route", "delete", *route], check=True)
        assert done.status == 1
        assert "no free /24 is left in 198.18.0.0/16: " in done.text
        assert "`ip -4 route show table all` shows what else is there" in done.text
        assert not of(lab, "e2e-route")
        lab.ok("up", "plain", "--name", "e2e-route")
        wire = engine.client.networks.get("lab-e2e-route-wire").attrs["IPAM"]["Config"][0]["Subnet"]
        assert IPv4Network(wire) == spare
        lab.ok("down", "--name", "e2e-route")
    finally:
        occupied.remove()
