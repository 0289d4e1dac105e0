# SPDX-License-Identifier: MIT
"""Two machines on a cable: the engines of both, and the interface that each has there.

Both are guests, each with a kernel of its own and nothing shared but the cable: QEMU hands a frame of one to the other
as it is. Or they are machines whose Docker engines answer, here or over SSH, on a cable of their own.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from docker.errors import DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from lab.core.errors import LabError
from lab.engines import guest_start, ownership
from lab.engines.choice import GUEST, HERE, Choice
from lab.engines.client import Client
from lab.engines.engine import Engine, because, connect, once_name
from lab.engines.guest import Say
from lab.engines.guest_folders import directory, locked
from lab.engines.guest_plug import Plug

ENDS = ("server", "client")
MACS = {"server": "52:54:00:1a:b0:01", "client": "52:54:00:1a:b0:02"}
"""The addresses of the guests' cards on the cable: QEMU's range."""
PLUGGED = 60
"""Seconds within which a guest has found its card."""
FORWARDED = 20
"""Seconds within which SSH must have reached the other machine."""
SSH = ("ssh", "-T", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=15")
LIFELINE = "cat"
"""What runs on the other machine. It ends with its input, so the connection ends with this process, killed or not."""
REMOTE = "/var/run/docker.sock"
"""The socket of the engine on a machine that SSH reaches."""

FIND = """
for card in /sys/class/net/*; do
    if [[ $(<"$card/address") == "$1" ]]; then
        ip link set dev "${card##*/}" up
        exec echo "${card##*/}"
    fi
done 2>/dev/null
exit 1
"""
LOOK = """
cd /sys/class/net
[[ -d $1 ]] || { echo "it has no interface $1: there are" * >&2; exit 1; }
[[ $(<"$1/carrier") == 1 ]] 2>/dev/null || { echo "its interface $1 is down, or has no cable" >&2; exit 1; }
"""
"""At a machine, with its interface on the cable."""
MACVLAN = """
ip link add one type veth peer two && ip link add link one name three type macvlan
"""
"""In a network of its own: whether the kernel has what puts an end on an interface."""


@contextmanager
def opened(host: Engine, choice: Choice, say: Say) -> Iterator[Engine]:
    """The engine of the client's machine; its `far` one is of the server's.

    Raises:
        LabError: an engine does not answer, a guest does not start, or an interface is not there or down.
    """
    with _guests(host, choice, say) if choice.server == GUEST else _machines(choice) as (server, client):
        for engine, end in ((server, "server"), (client, "client")):
            if fault := fault_of(engine):
                raise LabError(f"the {end}'s machine cannot use the cable: {fault}", "`ip link` lists interfaces")
        yield replace(client, far=server)


@contextmanager
def _guests(host: Engine, choice: Choice, say: Say) -> Iterator[tuple[Engine, Engine]]:
    """Two new guests with a virtual cable between."""
    kind = choice.model_copy(update={"name": GUEST, "processors": choice.cores, **dict.fromkeys(ENDS, "")})
    names = {end: guest_start.new_name() for end in ENDS}
    folder = directory(names["server"]) / "cable"  # it goes with that guest's other sockets
    with ExitStack() as stack:
        engines = []
        for end, name in names.items():
            plug = Plug(end, folder, MACS[end])
            engine = stack.enter_context(guest_start.started(host, name, kind, say, plug=plug))
            engines.append(replace(engine, name=choice.name, interface=_card(engine, end)))
        server, client = engines
        yield server, client


def _card(engine: Engine, end: str) -> str:
    """The name of a guest's card on the cable, which is put up."""
    find = ["bash", "-c", FIND, "find", MACS[end]]
    command = ["bash", "-c", 'wait-until "$@" >/dev/null && shift && exec "$@"', "find", str(PLUGGED), *find]
    result = engine.once("lab/base:latest", command, timeout=PLUGGED + 5, network_mode="host", cap_add=["NET_ADMIN"])
    if result.status:
        raise LabError(f"the {end}'s guest has found no network card on the cable:\n{engine.last_words()}")
    return result.stdout.strip()


@contextmanager
def _machines(choice: Choice) -> Iterator[tuple[Engine, Engine]]:
    """The engines that the choice names."""
    with ExitStack() as stack:
        engines = []
        for end in ENDS:
            address, interface = choice.place(end)
            engine = stack.enter_context(answering(address, end))
            engines.append(replace(engine, name=choice.name, interface=interface))
        server, client = engines
        if _are_one(server, client):
            raise LabError("both ends have the same Docker engine", "--engine host has both ends on one machine")
        yield server, client


def _are_one(server: Engine, client: Engine) -> bool:
    """Whether both are the same engine: what is made at one is at the other. Copied machines share an identity."""
    if server.facts.get("ID") != client.facts.get("ID"):
        return False
    lab = once_name()
    made = server.client.volumes.create(ownership.called(lab, secrets.token_hex(8)), labels=ownership.labels(lab))
    try:
        client.client.volumes.get(made.name)
    except NotFound:
        return False
    finally:
        made.remove()
    return True


@contextmanager
def answering(address: str, end: str) -> Iterator[Engine]:
    """The engine at an address: `host`, `unix://…` or `ssh://…`, without an interface.

    Raises:
        LabError: it does not answer; names the end.
    """
    if address == HERE:
        yield connect()
    elif address.startswith("unix://"):
        yield _engine(address, address, end)
    else:
        with _forwarded(address) as socket:
            yield _engine(f"unix://{socket}", address, end)


def _engine(url: str, address: str, end: str) -> Engine:
    try:
        client = Client(base_url=url, timeout=120)
        return Engine(client, facts=client.info(), address=url)
    except (DockerException, RequestException) as error:
        message = f"the {end}'s Docker engine does not answer at {address}: {because(error)}"
        raise LabError(message, f"`docker --host {address} info` must work here, by itself") from error


@contextmanager
def _forwarded(address: str) -> Iterator[Path]:
    """A socket of this machine that leads to the engine of one that SSH reaches, by its user's own configuration.

    It is in a folder as guests have one: whoever sweeps what killed commands left removes it once nobody answers there.
    """
    folder = directory(f"ssh-{guest_start.new_name()}")
    socket, pipe = folder / "docker.sock", subprocess.PIPE
    forward = [*SSH, "-L", f"{socket}:{REMOTE}", address, LIFELINE]
    with ExitStack() as stack:
        with locked("guests"):
            folder.mkdir(mode=0o700)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            ssh = subprocess.Popen(forward, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, text=True)
            stack.enter_context(ssh)
            stack.callback(ssh.terminate)
            deadline = time.monotonic() + FORWARDED
            while not socket.exists() and ssh.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
        if not socket.exists():
            ssh.terminate()
            said = ssh.communicate()[1].strip() or f"no connection within {FORWARDED} s"
            raise LabError(f"{address} cannot be reached: {said}", f"`ssh {address}` must work here, by itself")
        yield socket


def has_macvlan(engine: Engine) -> bool:
    """Whether a machine's kernel can put an end on an interface (macvlan)."""
    return not engine.once("lab/base:latest", ["bash", "-ec", MACVLAN], cap_add=["NET_ADMIN"]).status


def fault_of(engine: Engine) -> str:
    """Why a machine cannot have an end on the cable; empty if it can: its interface is there, and has a link."""
    argv = ["bash", "-c", LOOK, "look", engine.interface]
    try:
        result = engine.once("lab/base:latest", argv, network_mode="host", cap_add=["NET_ADMIN"])
    except ImageNotFound:
        return "it has no image lab/base, which `lab build` makes there"
    return result.complaint if result.status else ""
