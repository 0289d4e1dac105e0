"""`lab ktls`: TLS and DTLS records in user space and in the kernel."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.catalog import ROOT
from lab.options import (
    DEFAULT,
    Clock,
    EngineName,
    Guests,
    Json,
    Kernel,
    Memory,
    Processors,
    Results,
    Resume,
    engine_choice,
    size_in_bytes,
    words,
)
from lab.signals import alone, resumable
from lab.terminal import complaints, console

RESULTS = ROOT / "results"


def ktls(
    scenarios: Annotated[
        str, typer.Option(help="transmission, file, echo (records in, plain out), echo-out (the reverse), verify.")
    ] = "transmission,file,echo,verify",
    protocols: Annotated[str, typer.Option(help="dtls, tls (1.2), tls13; udp and tcp, without records.")] = (
        "dtls,tls,udp,tcp"
    ),
    paths: Annotated[
        str,
        typer.Option(help="Who makes the records: library; kernel, kernel-tx (AF_KTLS); mainline, mainline-tx; raw."),
    ] = "library,kernel-tx,kernel,mainline-tx,mainline,raw",
    ciphers: Annotated[str, typer.Option(help="aes-128-gcm, aes-256-gcm, chacha20-poly1305.")] = "aes-128-gcm",
    payloads: Annotated[
        str, typer.Option(help="Bytes of payload of a record.")
    ] = "1280,1400,4000,6000,9000,13000,16000",
    file_payloads: Annotated[str, typer.Option(help="Bytes of payload where a file is sent.")] = "1400",
    blocks: Annotated[int, typer.Option(help="How often every cell is measured.")] = 3,
    seconds: Annotated[float, typer.Option(help="Seconds of a timed load.")] = 1.0,
    count: Annotated[
        int | None, typer.Option(help="So many records instead of so many seconds.", show_default=False)
    ] = None,
    size: Annotated[str, typer.Option(help="The file: 25MB, 100MB, …")] = "25MB",
    profile: Annotated[
        str, typer.Option(help="Payloads at which every path is sampled by perf as well.", show_default=False)
    ] = "",
    cpuid: Annotated[
        str, typer.Option(help="GNUTLS_CPUID_OVERRIDE: which instructions the library may use.", show_default=False)
    ] = "",
    driver: Annotated[
        str, typer.Option(help="The kernel's driver (/proc/crypto) that AF_KTLS takes for DTLS.", show_default=False)
    ] = "",
    seed: Annotated[int, typer.Option(help="Orders the cells of each block.")] = 0,
    engine_name: EngineName = "vm",
    clock: Clock = "wall",
    kernel: Kernel = DEFAULT.kernel,
    processors: Processors = None,
    memory: Memory = DEFAULT.memory,
    guests: Guests = 1,
    resume: Resume = None,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Measure AF_KTLS, the kernel's own TLS and GnuTLS in randomised blocks, beside the thesis's chapter 5."""
    from lab import benches
    from lab.ktls import bench
    from lab.progress import Follow
    from lab.store import Store

    store = Store(results / resume) if resume else None
    asked = {
        "scenarios": words(scenarios),
        "protocols": words(protocols),
        "paths": words(paths),
        "ciphers": words(ciphers),
        "payloads": words(payloads),
        "file_payloads": words(file_payloads),
        "blocks": blocks,
        "seconds": seconds,
        "count": count,
        "size": size_in_bytes(size),
        "profile": words(profile),
        "cpuid": cpuid,
        "driver": driver,
        "seed": seed,
        "engine": engine_choice(engine_name, clock, kernel=kernel, processors=processors, memory=memory, guests=guests),
    }
    settings = (
        benches.settings_of(bench.Settings, store, bench.KIND) if store else benches.settings(bench.Settings, asked)
    )
    told = complaints if as_json else console
    with alone(settings.engine.clock) as say, bench.prepared(settings, told.print) as ready:
        store = store.go_on(ready.meta(), bench.KEPT) if store else Store.begin(results, ready.meta())
        say(f"run {store.folder.name}")
        told.print(f"run {store.folder.name}: {ready.announced()}", highlight=False)
        with resumable("ktls", store):
            counts = ready.execute(store, Follow(told))
    from lab.ktls import show  # pictures take memory: not while something is measured

    show.write(store, console, as_json=as_json)
    if counts.get("failed") or counts.get("invalid"):
        raise typer.Exit(1)
