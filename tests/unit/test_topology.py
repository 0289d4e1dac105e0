# SPDX-License-Identifier: MIT
"""docker-compose.yml: what `lab` makes of it, and that it grants what the VPNs need and no more."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.catalog.catalog import Catalog
from lab.catalog.vpns import Needs
from lab.core.errors import UsageError
from lab.testbed import topology
from lab.testbed.topology import Compose, Service, Topology

REAL = Catalog()
ENDS = ("server", "client")
SERVICES = (*ENDS, "server-load", "client-load", "meter")

SMALL = """\
name: small
x-shared: &shared
  image: lab/${LAB_VPN:-some}:latest
services:
  server:
    <<: *shared
    environment: {SUITE: "${LAB_SUITE:-STRONG}", PEER: "${LAB_CLIENT:-}"}
    cap_add: [NET_ADMIN, NET_RAW]
    devices: ["/dev/net/tun:/dev/net/tun", "/dev/ppp:/dev/ppp"]
    tmpfs: ["/run:rw,mode=755"]
networks: {}
"""


@pytest.fixture
def real() -> Topology:
    return topology.load().resolve({})


def server(text: str = SMALL, **variables: str) -> Service:
    return Compose(text=text).resolve(variables).services["server"]


def test_variables_are_filled_in() -> None:
    service = server(LAB_VPN="alpha", LAB_SUITE="WEAK", LAB_CLIENT="198.18.0.3")
    assert service.image == "lab/alpha:latest"
    assert service.environment == {"SUITE": "WEAK", "PEER": "198.18.0.3"}


def test_defaults_hold_where_a_variable_is_missing_or_empty() -> None:
    service = server(LAB_SUITE="")
    assert service.image == "lab/some:latest"
    assert service.environment == {"SUITE": "STRONG", "PEER": ""}


def test_the_environment_counts_as_it_does_for_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_VPN", "beta")
    assert server().image == "lab/beta:latest"
    assert server(LAB_VPN="alpha").image == "lab/alpha:latest"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("    tmpfs:", "    privileged: true\n    tmpfs:", "10: services.server.privileged: lab knows no such key"),
        ("networks: {}", "networks: {}\nsecrets: {}", "12: secrets: lab knows no such key"),
        ("[NET_ADMIN, NET_RAW]", "NET_ADMIN", "8: services.server.cap_add: a list is wanted, got 'NET_ADMIN'"),
        ("name: small\n", "", "1: name: it is missing"),
        ("networks: {}", "networks: {}\nnetworks: {}", "12: not YAML: the key 'networks' stands in line 11 already"),
        ("name: small", "name: 2026-13-45", "1: not YAML: '2026-13-45' looks like a value of the kind timestamp"),
        ("networks: {}", f"networks: {'[' * 3000}{']' * 3000}", "11: not YAML: more than 50 levels"),
    ],
    ids=["privileged", "secrets", "no-list", "missing", "twice", "no-date", "deep"],
)
def test_what_lab_does_not_understand_is_an_error(tmp_path: Path, old: str, new: str, named: str) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text(SMALL.replace(old, new))
    with pytest.raises(UsageError) as caught:
        topology.load(path).resolve({})
    assert f"{path}:{named}" in caught.value.message


def test_a_key_may_stand_beside_what_is_merged() -> None:
    """Both of a service's own keys and of what it merges the own one counts, as for Compose; it is none twice."""
    own = SMALL.replace("    <<: *shared\n", "    <<: *shared\n    image: lab/own:latest\n")
    assert server(own).image == "lab/own:latest"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        topology.load(tmp_path / "docker-compose.yml")


def test_an_end_gets_what_its_vpn_needs_and_no_more() -> None:
    limited = server().limited_to(Needs(capabilities=["NET_RAW"], devices=["/dev/ppp"]))
    assert limited.cap_add == ["NET_RAW"]
    assert limited.devices == ["/dev/ppp:/dev/ppp"]
    nothing = server().limited_to(Needs())
    assert (nothing.cap_add, nothing.devices) == ([], [])


def test_an_optional_device_is_given_to_those_that_ask_only() -> None:
    """What not every machine has stands apart from what Compose gives to every container."""
    text = SMALL.replace("    tmpfs:", '    x-optional-devices: ["/dev/vhost-net:/dev/vhost-net"]\n    tmpfs:')
    service = server(text)
    assert service.options()["devices"] == ["/dev/net/tun:/dev/net/tun", "/dev/ppp:/dev/ppp"]
    assert service.limited_to(Needs(devices=["/dev/ppp"])).devices == ["/dev/ppp:/dev/ppp"]
    limited = service.limited_to(Needs(devices=["/dev/vhost-net", "/dev/ppp"]))
    assert limited.options()["devices"] == ["/dev/vhost-net:/dev/vhost-net", "/dev/ppp:/dev/ppp"]


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (Needs(capabilities=["NET_ADMIN", "SYS_ADMIN"]), "capability 'SYS_ADMIN' is not granted by docker-compose.yml"),
        (Needs(devices=["/dev/kmsg"]), "device '/dev/kmsg' is not granted by docker-compose.yml"),
    ],
)
def test_what_the_file_does_not_grant_cannot_be_had(needs: Needs, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        server().limited_to(needs)
    assert "vpn.yaml" in caught.value.hint


def test_in_the_terms_of_docker_py() -> None:
    options = server().options()
    assert options["tmpfs"] == {"/run": "rw,mode=755"}
    assert options["cap_add"] == ["NET_ADMIN", "NET_RAW"]
    assert (options["init"], options["pid_mode"], options["cgroupns"]) == (False, None, None)


def test_meter_sees_the_machine_in_the_terms_of_docker_py(real: Topology) -> None:
    options = real.services["meter"].options()
    assert (options["pid_mode"], options["cgroupns"]) == ("host", "host")


def test_the_real_file_has_the_four_ends_and_the_meter(real: Topology) -> None:
    assert sorted(real.services) == sorted(SERVICES)
    assert real.networks["wire"].internal
    for end in ENDS:
        assert real.services[f"{end}-load"].network_mode == f"service:{end}"


def test_the_ends_know_each_other() -> None:
    variables = {"LAB_SERVER": "198.18.9.2", "LAB_CLIENT": "198.18.9.3", "LAB_SUITE": "S", "LAB_VARIANT": "v"}
    ends = topology.load().resolve(variables).services
    addresses = {"server": "198.18.9.2", "client": "198.18.9.3"}
    for end, peer in (("server", "client"), ("client", "server")):
        told = ends[end].environment
        assert (told["ROLE"], told["PEER"], told["SUITE"], told["VARIANT"]) == (end, addresses[peer], "S", "v")
        assert told["TUNNEL_ADDRESS"] == ends[peer].environment["TUNNEL_PEER"]
        assert ends[end].networks["wire"].ipv4_address == addresses[end]
    other = topology.load().resolve({**variables, "LAB_CLIENT_ADDRESS": "2001:2::3"}).services
    assert (other["server"].environment["PEER"], other["client"].environment["ADDRESS"]) == ("2001:2::3", "2001:2::3")
    assert other["client"].networks["wire"].ipv4_address == addresses["client"]


def test_nothing_is_granted_that_no_vpn_needs(real: Topology) -> None:
    needs = [vpn.needs(variant) for vpn in REAL.vpns.values() for variant in vpn.file.variants]
    for end in ENDS:
        service = real.services[end]
        granted = {entry.split(":")[0] for entry in [*service.devices, *service.optional_devices]}
        assert granted == {device for need in needs for device in need.devices}
        assert set(real.services[end].cap_add) == {name for need in needs for name in need.capabilities}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_gives_up_all_capabilities_first(real: Topology, name: str) -> None:
    service = real.services[name]
    assert service.cap_drop == ["ALL"]
    assert "no-new-privileges:true" in service.security_opt
    assert not any("unconfined" in option for option in service.security_opt)


def test_what_the_lab_itself_needs(real: Topology) -> None:
    assert real.services["meter"].cap_add == ["SYS_ADMIN", "NET_RAW"]
    assert {name for name in SERVICES if real.services[name].pid or real.services[name].cgroup} == {"meter"}
    for end in ENDS:
        assert real.services[f"{end}-load"].cap_add == ["NET_RAW"]
        assert not real.services[f"{end}-load"].devices


def test_no_mount_of_the_host_can_be_written(real: Topology) -> None:
    """The volumes of the lab are its own; only the gate, where loads ask the meter, can be written by two."""
    own: list[str] = []
    foreign: list[str] = []
    for name, service in real.services.items():
        for volume in service.volumes:
            source = volume.partition(":")[0]
            (own if source in real.volumes else foreign).append(volume)
            assert volume.endswith(":ro") or source == "gate", f"{name}: {volume}"
    assert {volume.partition(":")[0] for volume in own} == set(real.volumes)
    assert foreign == ["/sys/fs/cgroup:/host/cgroup:ro"]
    assert [name for name in SERVICES if "gate:/gate" in real.services[name].volumes] == ["client-load", "meter"]
    apart = [name for name in SERVICES if real.services[name].on_two_machines() != real.services[name]]
    assert apart == ["server-load"], "it asks the meter of its machine"
    assert real.services["server-load"].on_two_machines().volumes == ["gate:/gate"]


def test_interfaces_have_ipv6_where_the_tunnel_carries_it(real: topology.Topology) -> None:
    key = "net.ipv6.conf.default.disable_ipv6"
    given = [name for name in SERVICES if key in real.services[name].for_ipv6().sysctls]
    assert given == ["server", "client"]
    for name in given:
        usual = real.services[name].sysctls
        assert key not in usual
        assert real.services[name].for_ipv6().sysctls.items() > usual.items()


def test_nothing_is_privileged() -> None:
    document: dict[str, Any] = yaml.safe_load(topology.COMPOSE.read_text(encoding="utf-8"))
    assert not [name for name, service in document["services"].items() if "privileged" in service]
