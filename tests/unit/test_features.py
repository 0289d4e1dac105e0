# SPDX-License-Identifier: MIT
from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from docker.errors import APIError, ImageNotFound
from pydantic import ValidationError

from lab.benches.vpn import requirements
from lab.benches.vpn.requirements import lacks, reason
from lab.catalog.vpns import Ends, KernelFeature, Module, Needs, Probe, Proof, Variant, Vpn, VpnFile
from lab.core.command import Result
from lab.core.signals import Stopped
from lab.engines.engine import Engine, once_name
from lab.testbed.topology import Compose

FEATURE = KernelFeature(feature="ESP", config="CONFIG_INET_ESP", probe=["true"])


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"CONFIG_INET": "y"}, "CONFIG_INET_ESP is not set"),
        ({"CONFIG_INET_ESP": "m"}, "CONFIG_INET_ESP=m, but its probe says: Operation not supported"),
        ({}, "its probe says: Operation not supported (it takes CONFIG_INET_ESP)"),
    ],
    ids=["not-set", "set-but-not-there", "a-kernel-that-does-not-tell"],
)
def test_what_is_missing_is_named_and_how_that_is_known(config: dict[str, str], why: str) -> None:
    said = reason(FEATURE, config, "6.18.44", "RTNETLINK answers:\nOperation not supported")
    assert said == f"kernel 6.18.44 has no ESP: {why}"


MODULE = KernelFeature(feature="AF_X", module=Module(image="xmod", load=["x-load", "allow=all"]), probe=["probe", "x"])


def test_a_module_that_is_missing_is_named() -> None:
    said = reason(MODULE, {"CONFIG_INET": "y"}, "6.18.44", "Address family not supported by protocol")
    why = "its probe says: Address family not supported by protocol (it takes the module of xmod/)"
    assert said == f"kernel 6.18.44 has no AF_X: {why}"


@pytest.mark.parametrize("more", [{}, {"config": "CONFIG_X", "module": MODULE.module}], ids=["neither", "both"])
def test_a_feature_is_the_kernels_own_or_a_modules(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="AF_X: either `config` or `module`"):
        KernelFeature(feature="AF_X", probe=["true"], **more)


TOPOLOGY = """\
name: small
services:
  server:
    image: lab/${LAB_VPN:-some}:latest
    cap_drop: [ALL]
    cap_add: [NET_ADMIN, SETGID]
    devices: ["/dev/net/tun:/dev/net/tun"]
    x-optional-devices: ["/dev/vhost-net:/dev/vhost-net"]
networks: {}
"""
ABSENT = 'error gathering device information while adding custom device "/dev/vhost-net": no such file or directory'


class Machine:
    """An engine that has some devices and kernel features, and remembers what was run in which container."""

    def __init__(self, *, devices: Sequence[str] = (), kernel: Sequence[str] = (), name: str = "vm") -> None:
        self.devices, self.kernel, self.name = devices, kernel, name
        self.facts: dict[str, Any] = {"KernelVersion": "6.18.44"} | (
            {"guest": {"kernel": "stable"}} if name == "vm" else {}
        )
        self.ran: list[tuple[str, list[str], dict[str, Any]]] = []

    def once(self, image: str, argv: list[str], **options: Any) -> Result:
        self.ran.append((image, argv, options))
        if argv == requirements.CONFIG:
            return Result(0, "CONFIG_INET_ESP=m\n", "")
        if any(device.split(":")[0] not in self.devices for device in options.get("devices", [])):
            raise APIError("500 Server Error", explanation=ABSENT)
        ok = argv == ["true"] or argv[0] == "x-load" or argv[1] in self.kernel
        return Result(0, "", "") if ok else Result(1, "", f"{argv[1]}: Operation not supported")


Lacks = Callable[[Machine, Vpn], dict[tuple[str, str], str]]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Lacks:
    """What is lacking, by the topology above."""
    monkeypatch.setattr("lab.testbed.topology.load", lambda: Compose(text=TOPOLOGY))
    return lambda machine, vpn: lacks(cast(Engine, machine), [vpn])


def vpn(always: Needs, **more: Needs) -> Vpn:
    """A VPN, and for each of its variants what that needs beyond."""
    variants = {name: Variant(records="user", wire="ip", needs=needs) for name, needs in more.items()}
    probe = Probe(run=["show"], match="(.*)")
    proof = Proof(suite=Ends(server=probe, client=probe))
    file = VpnFile(
        title="T", summary="s", dialect="greek", interface="t0", variants=variants, needs=always, proof=proof
    )
    return Vpn("alpha", cast(Any, None), file)


def kernel(name: str, config: str) -> KernelFeature:
    return KernelFeature(feature=name.upper(), config=config, probe=["probe", name])


TUN = Needs(capabilities=["NET_ADMIN"], devices=["/dev/net/tun"])
VHOST = Needs(devices=["/dev/vhost-net"])
TLS = Needs(kernel=[kernel("tls", "CONFIG_TLS")])
ESP = Needs(kernel=[kernel("esp", "CONFIG_INET_ESP")])


def test_a_device_that_the_machine_lacks_is_named_with_the_engines_own_words(found: Lacks) -> None:
    machine = Machine(devices=["/dev/net/tun"])
    assert found(machine, vpn(TUN, plain=Needs(), fast=VHOST)) == {
        ("alpha", "fast"): f"the engine does not give the devices /dev/net/tun, /dev/vhost-net: {ABSENT}"
    }
    assert found(Machine(devices=["/dev/net/tun", "/dev/vhost-net"]), vpn(TUN, plain=Needs(), fast=VHOST)) == {}


def test_a_kernel_feature_is_asked_for_only_where_a_variant_needs_it(found: Lacks) -> None:
    said = found(Machine(devices=["/dev/net/tun"], kernel=["esp"]), vpn(TUN, plain=Needs(), esp=ESP, tls=TLS))
    assert list(said) == [("alpha", "tls")]
    assert said["alpha", "tls"] == "kernel 6.18.44 has no TLS: CONFIG_TLS is not set"


@pytest.mark.parametrize(("name", "loaded"), [("vm", 1), ("host", 0)])
def test_a_module_is_loaded_in_guests_alone_and_once(found: Lacks, name: str, loaded: int) -> None:
    needs = Needs(kernel=[MODULE])
    machine = Machine(devices=["/dev/net/tun"], kernel=["x"], name=name)
    assert found(machine, vpn(TUN, one=needs, two=needs)) == {}
    loads = [(image, argv, options["cap_add"]) for image, argv, options in machine.ran if argv[0] == "x-load"]
    assert loads == [("lab/xmod:latest", ["x-load", "allow=all"], ["SYS_MODULE"])] * loaded


def test_without_the_modules_image_the_probe_says_what_is_missing(found: Lacks) -> None:
    class Bare(Machine):
        def once(self, image: str, argv: list[str], **options: Any) -> Result:
            if image == "lab/xmod:latest":
                raise ImageNotFound("no such image")
            return super().once(image, argv, **options)

    said = found(Bare(devices=["/dev/net/tun"]), vpn(TUN, one=Needs(kernel=[MODULE])))
    assert "has no AF_X: its probe says: x: Operation not supported" in said["alpha", "one"]


def test_the_way_out_is_a_kernel_of_ones_own_where_there_is_another(found: Lacks) -> None:
    one = vpn(TUN, tls=TLS)
    here = found(Machine(devices=["/dev/net/tun"], name="host"), one)["alpha", "tls"]
    assert here == "kernel 6.18.44 has no TLS: CONFIG_TLS is not set; try --engine vm"
    assert "try" not in found(Machine(devices=["/dev/net/tun"]), one)["alpha", "tls"]


def test_what_the_vpn_always_needs_is_lacking_for_all_of_its_variants(found: Lacks) -> None:
    machine = Machine()
    said = found(machine, vpn(ESP, plain=Needs(), fast=VHOST))
    assert said == dict.fromkeys(
        [("alpha", "plain"), ("alpha", "fast")],
        "kernel 6.18.44 has no ESP: CONFIG_INET_ESP=m, but its probe says: esp: Operation not supported",
    )
    assert sum(argv == ["probe", "esp"] for _, argv, _ in machine.ran) == 1, "asked once, not for each variant"


def test_probes_run_side_by_side(found: Lacks) -> None:
    """Each waits until another runs as well."""
    machine = Machine(devices=["/dev/net/tun"], kernel=["tls", "esp"])
    barrier, once = threading.Barrier(2), machine.once

    def together(image: str, argv: list[str], **options: Any) -> Result:
        if argv[0] == "probe":
            barrier.wait(timeout=10)
        return once(image, argv, **options)

    machine.once = together  # type: ignore[method-assign]
    assert found(machine, vpn(TUN, tls=TLS, esp=ESP)) == {}


def test_probes_that_still_run_are_removed_if_one_goes_wrong(found: Lacks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop does not wait for them."""
    machine, running, removed = Machine(), threading.Event(), threading.Event()

    def once(image: str, argv: list[str], **options: Any) -> Result:
        if argv == ["probe", "tls"]:
            running.set()
            assert removed.wait(timeout=10)
        elif argv == ["probe", "esp"]:
            assert running.wait(timeout=10)
            raise Stopped("SIGINT")
        return Result(0, "", "")

    machine.once = once  # type: ignore[method-assign]

    def sweep(engine: Engine, name: str) -> None:
        assert name == once_name()
        removed.set()

    monkeypatch.setattr("lab.benches.vpn.requirements.testbed.sweep", sweep)
    with pytest.raises(Stopped):
        found(machine, vpn(Needs(), esp=ESP, tls=TLS))
    assert removed.is_set()


def test_the_kernel_is_asked_in_a_container_that_has_what_the_variant_needs_and_no_more(found: Lacks) -> None:
    machine = Machine(devices=["/dev/net/tun"], kernel=["tls"])
    assert not found(machine, vpn(TUN, tls=TLS))
    ((image, options),) = ((image, options) for image, argv, options in machine.ran if argv == ["probe", "tls"])
    assert image == requirements.BASE
    assert (options["cap_drop"], options["cap_add"]) == (["ALL"], ["NET_ADMIN"])
    assert options["devices"] == ["/dev/net/tun:/dev/net/tun"]
    assert not set(options) & set(requirements.NOT_PROBED)
