"""`lab crypto`: the ciphers alone."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.catalog import ROOT, Catalog
from lab.options import (
    DEFAULT,
    Clock,
    EngineName,
    Json,
    Kernel,
    Memory,
    Processors,
    Results,
    Resume,
    engine_choice,
    words,
)
from lab.signals import alone, resumable
from lab.terminal import complaints, console

RESULTS = ROOT / "results"


def crypto(
    libraries: Annotated[str, typer.Option(help="Libraries, with commas between.")] = "openssl,gnutls,kernel",
    ciphers: Annotated[str, typer.Option(help="all, quick, or suites with commas between.")] = "quick",
    sizes: Annotated[str, typer.Option(help="Bytes of payload, multiples of 16.")] = "16,64,256,1024,8192,16384",
    runs: Annotated[int, typer.Option(help="How often every cell is timed.")] = 3,
    seconds: Annotated[int, typer.Option(help="Seconds of each timing.")] = 1,
    places: Annotated[
        str, typer.Option(help="host (this machine, no container), container; both, in a guest container.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Orders the cells of each run.")] = 0,
    engine_name: EngineName = "host",
    clock: Clock = "wall",
    kernel: Kernel = DEFAULT.kernel,
    processors: Processors = None,
    memory: Memory = DEFAULT.memory,
    resume: Resume = None,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Time the ciphers alone: OpenSSL, GnuTLS and the kernel, on the machine itself and in a container."""
    from lab.crypto import bench, show
    from lab.progress import Follow
    from lab.store import Store

    store = Store(results / resume) if resume else None
    asked = {
        "libraries": words(libraries),
        "ciphers": words(ciphers),
        "sizes": words(sizes),
        "places": words(places) or (["host", "container"] if engine_name == "host" else ["container"]),
        "runs": runs,
        "seconds": seconds,
        "seed": seed,
        "engine": engine_choice(engine_name, clock, kernel=kernel, processors=processors, memory=memory),
    }
    choice = bench.Choice.of(Catalog(), bench.settings_of(store) if store else bench.settings(asked))
    told = complaints if as_json else console
    with alone(choice.settings.engine.clock) as say, bench.prepared(choice, told.print) as ready:
        store = bench.resumed(store, ready) if store else bench.new_run(results, ready)
        say(f"run {store.folder.name}")
        told.print(f"run {store.folder.name}: {ready.announced()}", highlight=False)
        with resumable("crypto", store):
            counts = ready.execute(store, Follow(told))
    show.write(store, console, as_json=as_json)
    if counts.get("failed"):
        raise typer.Exit(1)
