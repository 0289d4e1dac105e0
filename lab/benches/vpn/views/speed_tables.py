# SPDX-License-Identifier: MIT
"""The main figure of a load as tables: by ciphersuite and VPN (the thesis's B.1 to B.4), and in rank tiers."""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from lab.report.tables import (
    RECORDS,
    Cell,
    Notes,
    Table,
    count,
    each,
    meant,
    named,
    natural,
    of_clock,
    order,
    percent,
    spread,
    spread_name,
    spread_note,
    value,
    with_spread,
)
from lab.results.quantity import Quantity
from lab.stats import analysis, modes, ranking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.stats.summary import Load, Summary

RATE = "Mbit/s"
"""The unit of what has a share of the raw cipher speed."""


class CipherShare(Protocol):
    """The speed of the ciphers alone, timed on the same machine."""

    run: str
    """The run in which they were timed."""

    def share(self, vpn: str, records: str, suite: str, throughput: float) -> float:
        """The part of one processor that encryption alone takes at `throughput` (Mbit/s); NaN if unknown."""

    def note(self) -> str:
        """What the share means, and where the speeds come from."""


def _by(rows: Iterable[Any], *names: str) -> dict[tuple[str, ...], list[Any]]:
    groups: dict[tuple[str, ...], list[Any]] = {}
    for row in rows:
        groups.setdefault(tuple(str(getattr(row, name)) for name in names), []).append(row)
    return groups


def matrix(run: Summary, load: Load) -> Table:
    """Suites by series: median, spread and n; a cell without figures has a footnote that says why."""
    part = run.under(load)
    values = _by(each(part.mains), "vpn", "variant", "suite")
    outcomes = _by(each(part.outcomes), "vpn", "variant", "suite")
    records = {(str(row.vpn), str(row.variant)): str(row.records) for row in each(part.outcomes)}
    others = {key for key in outcomes if key[0] != run.control}
    columns = sorted({(key[0], key[1]) for key in others}, key=lambda pair: (natural(pair[0]), natural(pair[1])))
    notes, lines = Notes(), []
    for suite in order(key[2] for key in others):
        cells = [_entry(values.get((*pair, suite)), outcomes.get((*pair, suite), []), notes) for pair in columns]
        lines.append([Cell(suite), *cells])
    remarks = [
        f"control {vpn}/{variant}: {value(figures)} ({spread(figures)}, n {count(figures)})"
        for (vpn, variant, _), figures in values.items()
        if vpn == run.control
    ]
    what = f"{main.heading} by ciphersuite, {of_clock(main.unit, run.clock)}" if (main := part.main) else load[0]
    title = f"{what} ({named(load)}): median, {spread_name(run)}, n"
    header = ["suite", *(f"{'/'.join(pair)}\n{RECORDS.get(records[pair], records[pair])}" for pair in columns)]
    remarks += [*meant(run, [load]), *spread_note(run.clock), *notes.lines()]
    return Table(f"matrix {named(load)}", title, header, lines, 1, remarks, run.where)


def _entry(figures: list[Any] | None, ended: Sequence[Any], notes: Notes) -> Cell:
    failures = [end for end in ended if end.outcome in ("failed", "invalid")]
    marks = " ".join(f"{end.n} {end.outcome}{notes.mark(end.reason)}" for end in failures)
    if figures:
        text = f"{value(figures)}\n{spread(figures)} n{count(figures)}"
        # A good median looks like one: what else happened is said below it.
        return Cell(f"{text}\n{marks}" if failures else text)
    if failures:
        return Cell(marks, failures[0].outcome)
    absent = "".join(notes.mark(end.reason) for end in ended if end.outcome == "unsupported")
    return Cell(f"–{absent}", "unsupported") if ended else Cell("")


def ranks(run: Summary, load: Load, raw: CipherShare | None = None) -> Table:
    """Rank tiers of the CPU-bound cells; the others follow, with the reason why they have no tier.

    With `raw`, also the part of a processor that encryption at that speed takes, if known.
    """
    part, clock, main = run.under(load), run.clock, run.under(load).main or Quantity("", "")
    raw = raw if main.unit == RATE else None
    ranked = ranking.tiers(part.measured, control=run.control, pairs=part.others.pairs)
    shares: dict[tuple[str, ...], list[Any]] = {}
    if run.control in set(part.mains["vpn"]):
        ratios = analysis.ratios_to_control(part.measured, run.control)
        shares = _by(each(ratios), "vpn", "variant", "suite")
    notes, lines = Notes(), []
    cells = _by(
        each(ranked.assign(last=ranked["tier"] == 0).sort_values("last", kind="stable")), "vpn", "variant", "suite"
    )
    for key, figures in cells.items():
        lead = figures[0]
        share = shares.get(key)
        tier = str(lead.tier) if lead.tier else f"–{notes.mark(str(lead.why))}"
        texts = [tier, f"{lead.vpn}/{lead.variant}", lead.suite, RECORDS.get(lead.records, lead.records)]
        texts += [value(figures), spread(figures), str(count(figures)), with_spread(share, percent) if share else ""]
        if raw:
            texts.append(_share_of_raw(figures, raw))
        lines.append([Cell(text, "" if lead.tier else "unsupported") for text in texts])
    columns = ["tier", "vpn/variant", "suite", "records in", of_clock(main.unit, clock), spread_name(run), "n"]
    columns += ["of the control", *(["share of raw cipher speed"] if raw else [])]
    remarks = [_how(clock, main), *spread_note(clock), *([raw.note()] if raw else []), *notes.lines()]
    title = f"Rank tiers ({named(load)})"
    return Table(f"ranks {named(load)}", title, columns, lines, 4, remarks, run.where)


def _share_of_raw(figures: Sequence[Any], raw: CipherShare) -> str:
    row = figures[0]
    shares = [raw.share(row.vpn, row.records, row.suite, each_mode.median) for each_mode in figures]
    return " | ".join(percent(share) for share in shares) if all(share > 0 for share in shares) else ""


def _how(clock: str, main: Quantity) -> str:
    how = (
        "Welch's test on logarithms"
        if clock == modes.EXACT
        else "Student's test on the logarithms of ratios in a block"
    )
    rule = f"{how}, p corrected for all pairs (Benjamini-Hochberg). "
    return (
        f"A tier holds its best cell and those not shown to be {main.words[1]} than it; {rule}"
        "Cells that are not CPU-bound are not ranked."
    )
