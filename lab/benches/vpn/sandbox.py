# SPDX-License-Identifier: MIT
"""A lab to try things in: `lab up`, `lab status`, `lab down`."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from lab.benches.vpn import cells, clients
from lab.benches.vpn.bench import check_images, data_paths, lacking, lacking_wires
from lab.benches.vpn.tunnel import Tunnel
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.catalog.wires import Wire
from lab.core.errors import LabError, Unsupported, UsageError, unknown
from lab.engines import ownership
from lab.engines.engine import Engine
from lab.testbed import testbed
from lab.testbed.meter import Meter


def up(
    catalog: Catalog,
    chosen: tuple[Vpn, str, Suite],
    wire: Wire,
    engine: Engine,
    console: Console,
    lab: str,
    tunnels: int = 1,
) -> None:
    """Bring up a lab with a tunnel over a wire, or as many as asked for, prove them, and print how to use them.

    Raises:
        LabError: the lab did not come up; nothing is left behind.
    """
    vpn, variant, suite = chosen
    check_runnable(catalog, vpn, variant, engine)
    if reason := lacking_wires(engine, catalog, [wire]).get(wire.wire):
        raise Unsupported(f"the wire {wire.wire} cannot be had here: {reason}")
    if tunnels > 1 and (reason := cells.why_single(vpn, variant, wire.wire)):
        raise Unsupported(f"{vpn.name} {variant} cannot have {tunnels} tunnels: {reason}")
    if state := testbed.standing(engine).get(lab):
        situation = "is up already" if state == ownership.State.UP else f"is there already ({state})"
        raise LabError(f"a lab named {lab!r} {situation}", f"{testbed.removing(engine, lab)}, or choose another --name")
    with testbed.opened(engine, lab, keep=True, clients=tunnels, ipv6=wire.ipv6) as bed:
        tunnel = Tunnel(bed, Meter(bed), vpn, variant, suite, wire, tunnels if tunnels > 1 else None)
        tunnel.bring_up()
        tunnel.loaded = range(1, tunnels + 1)
        tunnel.prove()
        tunnel.laid.shape(seed=0)
        bed.payload(10_000_000)
    console.print(
        f"lab {lab!r} is up: {vpn.file.title}, {variant}, {suite.title}; first answer after {tunnel.took.seconds:.2f} s"
    )
    if tunnels > 1:
        console.print(f"It has {tunnels} tunnels, of {clients.name(1)} to {clients.name(tunnels)}.", highlight=False)
    if wire.wire != cells.WHOLE:
        console.print(f"Its wire is {wire.wire}: {wire.sentence}", highlight=False)
    docker = f"docker --host {engine.address}" if engine.address else "docker"
    commands = [
        ("client-load", f"ping {tunnel.address('server')}"),
        ("client-load", f"iperf3 --client {tunnel.address('server')}"),
        ("client-load", f"tcpdump -n -i {vpn.file.interface}"),
    ]
    if tunnels > 1:
        commands.append(("client", f"as-client {tunnels} ping {tunnel.address('server')}"))
    for role, command in commands:
        run = f"  {docker} exec -it lab-{lab}-{role} {command}"
        console.print(run, markup=False, highlight=False, soft_wrap=True)
    console.print(f"{testbed.removing(engine, lab)} removes it.", highlight=False)


def check_runnable(catalog: Catalog, vpn: Vpn, variant: str, engine: Engine) -> None:
    """Check that an engine can run a data path, and has its images.

    Raises:
        Unsupported: its kernel lacks something. LabError: an image is missing or out of date.
    """
    if reason := lacking(engine, catalog, [vpn]).get((vpn.name, variant)):
        raise Unsupported(f"{vpn.name} {variant} cannot run here: {reason}")
    check_images(engine, catalog, [(vpn, variant)])


def choose(catalog: Catalog, name: str | None, variant: str | None, cipher: str | None) -> tuple[Vpn, str, Suite]:
    """The VPN, variant and suite chosen; for each one not named, the first that fits.

    Raises:
        UsageError: there is no such VPN, variant or suite; lists the valid ones.
    """
    vpns = catalog.vpns
    if name is not None and name not in vpns:
        raise unknown("VPN", name, vpns)
    vpn = vpns[name] if name else next(iter(vpns.values()))
    variants = vpn.file.variants
    if variant is not None and variant not in variants:
        raise unknown(f"variant of {vpn.name}", variant, variants)
    path = variant or next(iter(variants))
    spoken = {row.suite: row for row in catalog.suites.values() if not vpn.why_not(path, row)}
    if cipher is not None and cipher not in catalog.suites:
        raise unknown("suite", cipher, spoken)
    if cipher is not None and cipher not in spoken:
        raise UsageError(f"{vpn.name} {path} has no {cipher}: {vpn.why_not(path, catalog.suites[cipher])}")
    if not spoken:
        raise UsageError(
            f"no suite has a name in the {vpn.file.dialect} dialect of {vpn.name}", "lab/catalog/suites.yaml"
        )
    return vpn, path, spoken[cipher] if cipher else next(iter(spoken.values()))


def down(engine: Engine, console: Console, name: str | None) -> None:
    """Take down one lab; with None, every lab that no running process holds.

    Raises:
        UsageError: there is no lab of that name.
        LabError: a running process holds the lab; or a part could not be removed (everything else was).
    """
    known = testbed.labs(engine)
    if name is not None and name not in known:
        labs = [f"{lab} ({state})" for lab, state in sorted(testbed.standing(engine).items())]
        raise UsageError(f"no lab named {name!r} is up", f"labs: {', '.join(labs) or 'none'}")
    if name is not None and known[name] is ownership.State.HELD:
        labels = [container.labels for container in testbed.containers_of(engine, name)]
        holders = sorted({label[ownership.OWNER].partition(":")[0] for label in labels})
        raise LabError(
            f"lab {name!r} is in use: {f'process {holders[0]}' if holders else 'a running lab'} holds it, and measures",
            "stop that process (Ctrl-C, or `kill`): it removes its lab itself, and its run can be resumed",
        )
    if not known:
        console.print("no lab is up")
    stuck: list[LabError] = []
    for lab in [name] if name else sorted(known):
        if name is None and known[lab] is ownership.State.HELD:
            console.print(f"lab {lab!r}: kept, since a running lab holds it", highlight=False)
            continue
        try:
            count = testbed.sweep(engine, lab)
            console.print(f"lab {lab!r}: {count} containers, networks and volumes removed", highlight=False)
        except LabError as error:
            stuck.append(error)
    if stuck:
        raise LabError("\n".join(error.message for error in stuck), stuck[-1].hint)


def status(engine: Engine, catalog: Catalog | None = None) -> list[dict[str, Any]]:
    """Each lab on the engine: what runs in it, and its state."""
    paths = data_paths((catalog or Catalog()).vpns.values())
    vpns = {f"lab/{vpn.image(variant)}:latest": vpn.name for vpn, variant in paths}
    rows = []
    for name, state in sorted(testbed.standing(engine).items()):
        ends = testbed.containers_of(engine, name, role="client")
        environment = dict(entry.split("=", 1) for entry in ends[0].attrs["Config"]["Env"]) if ends else {}
        image = ends[0].attrs["Config"]["Image"] if ends else ""
        rows.append(
            {
                "lab": name,
                "vpn": vpns.get(image, image),
                "variant": environment.get("VARIANT", ""),
                "suite": environment.get("SUITE", ""),
                "containers": len(testbed.containers_of(engine, name)),
                "state": state,
            }
        )
    return rows
