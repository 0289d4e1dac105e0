"""The `lab` command: what it is asked for, in one place. Every command's work is done elsewhere."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from docker.errors import DockerException
from requests.exceptions import RequestException
from rich.table import Table

from lab import __version__, cli_vm, measures
from lab.catalog import ROOT, Catalog
from lab.cli_crypto import crypto
from lab.cli_ktls import ktls
from lab.engine import because
from lab.errors import LabError
from lab.options import (
    DEFAULT,
    App,
    Clock,
    EngineName,
    Guests,
    Json,
    Kernel,
    Memory,
    Processors,
    Results,
    Resume,
    called,
    engine_choice,
    share,
    size_in_bytes,
    words,
)
from lab.signals import Stopped, alone, interruptible, resumable
from lab.terminal import abandon_output, answer, any_locale, complain, complaints, console

if TYPE_CHECKING:
    from lab.store import Store

app = App(
    name="lab",
    help="Compare Linux VPNs, ciphersuite by ciphersuite, and see where the CPU time goes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)
app.add_typer(cli_vm.app, name="vm")
app.command()(crypto)
app.command()(ktls)

RESULTS = ROOT / "results"
LabName = Annotated[str, typer.Option(help="The lab's name.", callback=called)]


class Things(StrEnum):
    """What `lab list` can list."""

    VPNS = "vpns"
    SUITES = "suites"
    MEASURES = "measures"


def show(rows: list[dict[str, Any]], as_json: bool, title: str = "") -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        answer(rows)
        return
    table = Table(title=title or None, title_justify="left")
    for column in rows[0] if rows else []:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)


@app.command("list")
def list_(what: Things, as_json: Json = False) -> None:
    """List the VPNs, suites or measures that there are."""
    catalog = Catalog()
    if what is Things.VPNS:
        rows = [
            {
                "vpn": vpn.name,
                "variants": ", ".join(f"{name} ({v.records})" for name, v in vpn.file.variants.items()),
                "what it is": f"{vpn.file.title}. {vpn.file.summary}",
            }
            for vpn in catalog.vpns.values()
        ]
    elif what is Things.SUITES:
        dialects = sorted({vpn.file.dialect for vpn in catalog.vpns.values() if not vpn.file.control})
        rows = [
            {"suite": name, "title": suite.title, **{dialect: suite.native.get(dialect, "-") for dialect in dialects}}
            for name, suite in catalog.suites.items()
        ]
    else:
        rows = [{"measure": name, "what": each.TITLE, "unit": each.UNIT} for name, each in measures.every().items()]
    show(rows, as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what this machine can run, what it lacks, and the fix for each."""
    from lab import doctor as checks

    rows = checks.examine(Catalog())
    show([row.shown() for row in rows], as_json, "What this machine can run")
    if any(row.state == "missing" for row in rows):
        raise typer.Exit(1)


@app.command()
def build(
    only: Annotated[str | None, typer.Argument(help="One image; all where none is named.", show_default=False)] = None,
    source: Annotated[
        str, typer.Option("--from", help="Where the Debian root comes from: auto, stock or bootstrap.")
    ] = "auto",
) -> None:
    """Build the images; what has not changed is left alone."""
    from lab import engine, images

    folders = images.folders(ROOT / "images", only)
    root = images.source_of(source)
    images.build(engine.connect(), folders, console.print, source=root)


@app.command()
def up(
    vpn: Annotated[
        str | None, typer.Argument(help="The VPN; no VPN at all where none is named.", show_default=False)
    ] = None,
    variant: Annotated[str | None, typer.Option(help="Its data path; its first where none is named.")] = None,
    cipher: Annotated[str | None, typer.Option(help="The suite; the first that it has where none is named.")] = None,
    name: LabName = "lab",
    engine_name: EngineName = "host",
) -> None:
    """Bring both ends and a tunnel up, to play with; `lab down` takes them down."""
    from lab import engines, play

    catalog = Catalog()
    chosen = play.choose(catalog, vpn, variant, cipher)
    with engines.opened(engine_choice(engine_name), console.print, keep=True) as engine:
        play.up(catalog, chosen, engine, console, name)


@app.command()
def down(
    name: LabName = "lab",
    everything: Annotated[
        bool, typer.Option("--all", help="Every lab, also those that a killed run left behind.")
    ] = False,
    engine_name: EngineName = "host",
) -> None:
    """Take a lab down: its containers, networks, volumes and secrets."""
    from lab import engines, guest, play

    engine = engines.present(engine_choice(engine_name))
    if everything and engine_name == "host":
        guest.sweep_forgotten(engine)
    play.down(engine, console, None if everything else name)


@app.command()
def credentials(
    project: Annotated[str, typer.Option(help="The Compose project whose volumes are filled.")] = "lab",
) -> None:
    """Make secrets for a lab that was brought up by hand, with Compose."""
    from lab import engine, testbed

    volumes = testbed.renew_credentials(engine.connect(), project)
    console.print(f"new secrets in {' and '.join(volumes)}", highlight=False)


@app.command()
def status(engine_name: EngineName = "host", as_json: Json = False) -> None:
    """Show the labs that are up."""
    from lab import engines, play

    show(play.status(engines.present(engine_choice(engine_name))), as_json, "Labs on this engine")


@app.command()
def matrix(
    vpns: Annotated[str, typer.Option(help="VPNs, with commas between; all where none is named.")] = "",
    variants: Annotated[str, typer.Option(help="Only these data paths.")] = "",
    ciphers: Annotated[str, typer.Option(help="all, quick, or suites with commas between.")] = "quick",
    measured: Annotated[str, typer.Option("--measures", help="What to measure.")] = "throughput,transfer",
    blocks: Annotated[int, typer.Option(help="How often every cell is measured.")] = 5,
    duration: Annotated[int, typer.Option(help="Seconds of a timed load.")] = 5,
    streams: Annotated[str, typer.Option(help="TCP streams, for example 1,4.")] = "1",
    directions: Annotated[str, typer.Option(help="up (client to server), down, or up,down.")] = "up",
    size: Annotated[str, typer.Option(help="File of a transfer: 10MB, 1GB, …")] = "10MB",
    seed: Annotated[int, typer.Option(help="Orders the cells of each block.")] = 0,
    engine_name: EngineName = "host",
    clock: Clock = "wall",
    kernel: Kernel = DEFAULT.kernel,
    processors: Processors = None,
    memory: Memory = DEFAULT.memory,
    guests: Guests = 1,
    resume: Resume = None,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Measure every VPN with every suite in randomised blocks, and show the tables."""
    from lab import benches, engines
    from lab.matrix import Choice, Prepared, Settings, execute, new_run, resumed
    from lab.progress import Follow
    from lab.store import Store

    store = Store(results / resume) if resume else None
    told = complaints if as_json else console
    asked = {
        "vpns": words(vpns),
        "variants": words(variants),
        "ciphers": words(ciphers),
        "measures": words(measured),
        "blocks": blocks,
        "duration": duration,
        "streams": words(streams),
        "directions": words(directions),
        "size": size_in_bytes(size),
        "seed": seed,
        "engine": engine_choice(engine_name, clock, kernel=kernel, processors=processors, memory=memory, guests=guests),
    }
    settings = benches.settings_of(Settings, store, "matrix") if store else benches.settings(Settings, asked)
    choice = Choice.of(Catalog(), settings)
    with (
        alone(settings.engine.clock) as say,
        engines.several(settings.engine, told.print) as found,
    ):
        prepared = Prepared(choice, found)
        store = resumed(store, prepared) if store else new_run(results, prepared)
        say(f"run {store.folder.name}")
        cells = len(prepared.plan.cells)
        told.print(f"run {store.folder.name}: {cells} cells x {settings.blocks} blocks", highlight=False)
        with resumable("matrix", store):
            counts = execute(prepared, store, Follow(told))
    # Pictures take memory: a process of their own keeps the one that measures small.
    show_it = [sys.executable, "-m", "lab", "report", store.folder.name, "--results", str(results)]
    shown = subprocess.run([*show_it, *(["--json"] if as_json else [])], check=False)
    if shown.returncode or counts.get("failed") or counts.get("invalid"):
        raise typer.Exit(1)


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="The run's name.")], results: Results = RESULTS, as_json: Json = False
) -> None:
    """Show a run's tables, and write its CSV, pictures and HTML page anew."""
    from lab.store import Store

    store = Store(results / run)
    shown_by(store).write(store, console, as_json=as_json)


def shown_by(store: Store) -> Any:
    """The module that shows runs of that kind."""
    from lab.store import kind_of

    kind = kind_of(store.meta())
    if kind == "ktls":
        from lab.ktls import show as of_ktls

        return of_ktls
    if kind == "crypto":
        from lab.crypto import show as of_crypto

        return of_crypto
    from lab import report as reports

    return reports


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A run.")],
    b: Annotated[str, typer.Argument(help="Another.")],
    margin: Annotated[float, typer.Option(help="Differences inside this share count as a tie.", callback=share)] = 0.05,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Compare two runs cell by cell."""
    from lab import report as reports
    from lab.store import Store

    first, second = Store(results / a), Store(results / b)
    if as_json:
        answer(reports.comparison_data(first, second, margin))
    else:
        reports.show_comparison(first, second, margin, console)


@app.command()
def thesis(
    run: Annotated[str, typer.Argument(help="The run's name.")], results: Results = RESULTS, as_json: Json = False
) -> None:
    """Show a run beside the figures of the thesis that this lab rebuilds."""
    from lab import thesis as theses
    from lab.store import Store, kind_of

    store = Store(results / run)
    if kind_of(store.meta()) == "ktls":
        from lab.ktls import show as of_ktls

        of_ktls.thesis(store, console, as_json=as_json)
    elif as_json:
        answer(theses.data(store.frame(), store.meta()))
    else:
        theses.render(store.frame(), store.meta(), console)


@app.callback(invoke_without_command=True)
def version(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Compare Linux VPNs, ciphersuite by ciphersuite, and see where the CPU time goes."""
    if show_version:
        console.print(f"lab {__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Run the command; every error of the lab ends here: its message, its next step, its exit code."""
    any_locale()
    try:
        with interruptible():
            app()
    except LabError as error:
        complain(error.message, error.hint)
        sys.exit(error.exit_code)
    except Stopped as error:
        complain(f"stopped by {error}")
        sys.exit(1)
    except (DockerException, RequestException) as error:
        complain(f"the engine refused: {because(error)}")
        sys.exit(1)
    except OSError as error:
        complain(f"{error.filename or 'the output'}: {error.strerror or error}")
        sys.exit(1)
    finally:
        abandon_output()
