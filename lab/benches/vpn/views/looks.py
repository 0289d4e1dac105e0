# SPDX-License-Identifier: MIT
"""How the series of VPNs look: one colour for each VPN in every picture of every run, one shape for each variant."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lab.catalog.catalog import Catalog
from lab.report import plots, tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    import altair as alt
    import pandas as pd


@cache
def colors() -> Mapping[str, str]:
    """The colour of each VPN of the catalogue; a control is grey."""
    vpns = Catalog().vpns
    named = dict(zip((name for name in sorted(vpns) if not vpns[name].file.control), plots.COLORS, strict=False))
    return named | {name: plots.GREY for name in vpns if vpns[name].file.control}


def of(summary: pd.DataFrame) -> tuple[alt.Scale, alt.Scale]:
    """Colour and shape of each `series` of a summary, in their natural order; where all are of one VPN, by variant."""
    names = tables.order(summary["series"])
    if summary["vpn"].nunique() == 1:
        alone = dict(zip(names, names, strict=True))
        return plots.color_scale(names, alone, {}), plots.shape_scale(names, dict.fromkeys(names, ""))
    groups = dict(zip(summary["series"], summary["vpn"].astype(str), strict=True))
    return plots.color_scale(names, groups, colors()), plots.shape_scale(names, groups)
