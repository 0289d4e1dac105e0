# SPDX-License-Identifier: MIT
"""From samples to raw speeds: the share that a VPN reaches, the tables, and the thesis beside them."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

import math
from statistics import mean
from typing import Any

import pandas as pd
import pytest
from frames import cell, frame, missing, summary

from lab.benches.crypto.views import frame as crypto
from lab.benches.crypto.views import plots, report, thesis_model
from lab.benches.crypto.views import speeds as tables_of
from lab.benches.crypto.views import thesis as beside
from lab.catalog.catalog import Catalog
from lab.core.errors import LabError
from lab.report import plots as plots_of
from lab.report import reference, tables
from lab.report.views import nobody
from lab.stats.summary import Summary

THERE = thesis_model.load()
OWN_CIPHERS = {("strongswan", "esp-in-udp-user"), ("wireguard", "udp-go")}
"""Data paths that encrypt by no library that `lab crypto` times."""


def speeds(library: str, suite: str, place: str, size: int, values: list[float], **other: Any) -> list[dict[str, Any]]:
    """GB/s in blocks 0, 1, 2 and so on."""
    standard = {
        "variant": place, "measure": "crypto", "conditions": f"size={size}", "metric": "speed", "unit": "B/s",
        "end": "machine", "bottleneck": "",
    }  # fmt: skip
    return cell(library, suite, [value * 1e9 for value in values], **(standard | other))


def a_run(**other: Any) -> pd.DataFrame:
    """OpenSSL and GnuTLS in both places at three sizes; no kernel."""
    rows: list[dict[str, Any]] = []
    for size, scale in ((64, 0.1), (1024, 0.5), (16384, 1.0)):
        for place, slow in (("host", 1.0), ("container", 0.9)):
            rows += speeds("openssl", "aes-128-gcm", place, size, [value * slow * scale for value in (8, 10, 12)])
            rows += speeds("openssl", "aes-128-cbc-sha1", place, size, [slow * scale] * 3)
            rows += speeds("openssl", "aes-128-cbc-sha1", place, size, [2 * slow * scale] * 3, metric="stitched")
            rows += speeds("gnutls", "aes-128-gcm", place, size, [4.0 * slow * scale] * 3)
            rows.append(missing("gnutls", "bf-cbc-sha1", "unsupported", "GnuTLS has no Blowfish", variant=place,
                                measure="crypto", conditions=f"size={size}"))  # fmt: skip
    return frame(rows)


class TestRaw:
    def test_words_of_its_own(self) -> None:
        df = crypto.named(summary(a_run()).measured)
        assert {"library", "place", "size"} <= set(df)
        assert not {"vpn", "variant"} & set(df)
        assert set(df["size"]) == {64, 1024, 16384}

    def test_the_nearest_payload_that_is_no_larger(self) -> None:
        df = a_run()
        key, run = ("openssl", "aes-128-gcm"), summary(df)
        assert crypto.raw_speeds(run)[key] == crypto.raw_speeds(run, payload=1024)[key] == 10 * 0.9 * 0.5 * 8000
        assert crypto.raw_speeds(run, payload=1023)[key] == crypto.raw_speeds(run, payload=64)[key] < 36000
        assert crypto.raw_speeds(run, payload=1024, place="host")[key] == 40000

    @pytest.mark.parametrize(
        ("library", "suite", "payload"),
        [("kernel", "aes-128-gcm", 1400), ("gnutls", "bf-cbc-sha1", 1400), ("openssl", "aes-128-gcm", 63)],
    )
    def test_none(self, library: str, suite: str, payload: int) -> None:
        assert (library, suite) not in crypto.raw_speeds(summary(a_run()), payload=payload)

    def test_share(self) -> None:
        assert crypto.share(500, 40000) == pytest.approx(0.0125)
        assert math.isnan(crypto.share(500, float("nan")))
        assert math.isnan(crypto.share(500, 0))

    @pytest.mark.parametrize(
        ("records", "dialect", "library"),
        [
            ("user", "openssl", "openssl"),
            ("kernel", "openssl", "kernel"),
            ("user", "gnutls", "gnutls"),
            ("kernel", "gnutls", "kernel"),
            ("kernel-tx", "gnutls", None),
            ("kernel", "ike", "kernel"),
            ("kernel", "noise", "kernel"),
            ("user", "noise", None),
            ("kernel", "none", None),
            ("user", "toy", None),
        ],
    )
    def test_the_library_under_a_data_path(self, records: str, dialect: str, library: str | None) -> None:
        assert crypto.library_of(records, dialect) == library

    def test_every_vpn_that_encrypts_has_one_or_ciphers_of_its_own(self) -> None:
        for vpn in Catalog().vpns.values():
            for name, variant in vpn.file.variants.items():
                known = crypto.library_of(variant.records, vpn.file.dialect)
                none = vpn.file.control or variant.records == "kernel-tx" or (vpn.name, name) in OWN_CIPHERS
                assert (known is None) == none, f"{vpn.name}/{name}: `serves` in libraries.yaml, or OWN_CIPHERS here"

    def test_ratios_are_taken_within_a_run(self) -> None:
        rows = speeds("openssl", "x", "host", 64, [1, 2, 4]) + speeds("openssl", "x", "container", 64, [1, 4, 4])
        (row,) = tables.each(crypto.ratios(summary(frame(rows))))
        assert (row.n, row.median) == (3, 1.0)

    def test_no_ratio_across_clocks(self) -> None:
        rows = speeds("openssl", "x", "host", 64, [1]) + speeds(
            "openssl", "x", "container", 64, [1], clock="instructions"
        )
        with pytest.raises(LabError, match="one engine and clock"):
            crypto.ratios(summary(frame(rows)))


class TestShown:
    def table(self, name: str, df: pd.DataFrame | None = None) -> tables.Table:
        df = a_run() if df is None else df
        meta = {"implementations": {"openssl": {"host": ["3.5"], "container": ["3.5"]}},
                "machine": {"cpu": "Some CPU", "flags": "aes vaes mmx"}}  # fmt: skip
        found = {
            table.name: table for table in [*tables_of.build(summary(df, meta)), *beside.build(summary(df), THERE)]
        }
        return found[f"crypto {name}"]

    def rows(self, name: str) -> dict[str, list[str]]:
        return {row[0].text: [each.text for each in row[1:]] for row in self.table(name).rows}

    def test_host_beside_container_and_their_ratio(self) -> None:
        table = self.table("openssl")
        assert table.columns == ["suite", "64 B", "1024 B", "16384 B"]
        assert self.rows("openssl")["aes-128-gcm"] == [
            "1000 / 900\n× 0.900", "5000 / 4500\n× 0.900", "10000 / 9000\n× 0.900"]  # fmt: skip
        assert self.rows("openssl")["aes-128-cbc-sha1, stitched"][-1] == "2000 / 1800\n× 0.900"
        assert "medians of 3 runs" in "".join(table.notes)

    def test_what_there_is_not_has_its_reason(self) -> None:
        table = self.table("gnutls")
        assert self.rows("gnutls")["bf-cbc-sha1"] == ["–¹", "–¹", "–¹"]
        assert table.notes[-1] == "¹ unsupported: GnuTLS has no Blowfish"

    def test_one_place_alone(self) -> None:
        df = a_run()
        table = self.table("openssl", df[df["variant"] == "host"])
        assert [row[1].text for row in table.rows] == ["100", "200", "1000"]

    def test_which_implementation_ran(self) -> None:
        notes = self.table("implementations").notes
        assert notes == ["openssl: 3.5 (host, container)", "processor: Some CPU; of its flags: aes, vaes"]

    def test_beside_the_thesis(self) -> None:
        rows = [[each.text for each in row] for row in self.table("thesis").rows]
        assert rows[2] == ["3.9 openssl, container, 16384 B", "AES-128 CBC SHA1", "0.59 0.61 0.61: 0.60",
                           "1.80 1.80 1.80: 1.80", "0.995", "0.900"]  # fmt: skip
        assert rows[-1] == ["3.12 kernel, host, 8192 B", "AES-128 GCM (RFC 4106)", "1.91 1.96 2.00: 1.96", "–", "", ""]

    def test_the_trend(self) -> None:
        df = frame(
            [*speeds("kernel", "aes-128-gcm", "host", 64, [0.5]), *speeds("kernel", "aes-128-gcm", "host", 8192, [2.0])]
        )
        rows = {row[0].text: [each.text for each in row[1:]] for row in self.table("trend", df).rows}
        assert rows["64"] == ["0.268", "0.134", "0.500", "0.250", "–", "–"]
        assert rows["16"] == ["0.074", "0.037", "–", "–", "–", "–"]

    def test_json(self) -> None:
        said = report.data(Summary(a_run(), {}), nobody)
        assert {row["metric"] for row in said["speeds"]} == {"speed", "stitched"}
        assert {round(row["median"], 6) for row in said["ratios"]} == {0.9}
        assert [row["reason"] for row in said["outcomes"] if row["outcome"] == "unsupported"] == [
            "GnuTLS has no Blowfish"
        ] * 6


class TestPicture:
    def test_a_panel_for_each_library_and_a_line_for_each_place(self) -> None:
        picture = plots_of.spec(plots.picture(summary(a_run())))
        assert [panel["title"]["text"] for panel in picture["hconcat"]] == ["OpenSSL", "GnuTLS"]
        assert [{(row["suite"], row["place"]) for row in rows} for rows in panels(picture)] == [
            {(suite, place) for suite in ("aes-128-gcm", "aes-128-cbc-sha1") for place in ("host", "container")},
            {("aes-128-gcm", "host"), ("aes-128-gcm", "container")},
        ]
        for panel in picture["hconcat"]:
            dashes = panel["layer"][0]["encoding"]["strokeDash"]["scale"]
            assert dict(zip(dashes["domain"], dashes["range"], strict=True)) == {"container": [1, 0], "host": [6, 4]}

    def test_megabytes_by_payload_both_logarithmic(self) -> None:
        picture = plots_of.spec(plots.picture(summary(a_run())))
        gnutls = panels(picture)[1]
        assert {row["payload"]: row["median"] for row in gnutls if row["place"] == "host"} == pytest.approx(
            {64: 400, 1024: 2000, 16384: 4000}
        )
        encodings = [panel["layer"][0]["encoding"] for panel in picture["hconcat"]]
        assert {encoding[axis]["scale"]["type"] for encoding in encodings for axis in "xy"} == {"log"}
        assert picture["resolve"]["scale"] == {"y": "shared"}
        assert encodings[0]["y"]["title"] == "payload, MB/s of wall-clock time (log scale)"

    def test_a_suite_looks_the_same_in_every_run(self) -> None:
        df = a_run()
        whole = looks(df)
        assert whole["aes-128-gcm"] != whole["aes-128-cbc-sha1"]
        for suite, look in whole.items():
            assert looks(df[df["suite"] == suite]) == {suite: look}

    def test_the_title_says_run_clock_and_n(self) -> None:
        title = plots_of.spec(plots.picture(summary(a_run())))["title"]
        assert title["text"] == "Raw cipher speed by payload"
        assert title["subtitle"][-1] == "run r1 · host engine, wall clock · n 3"


def panels(picture: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The points of each panel."""
    rows = [panel.get("data") or picture["data"] for panel in picture["hconcat"]]
    return [picture["datasets"][data["name"]] for data in rows]


def looks(df: pd.DataFrame) -> dict[str, list[str]]:
    """Colour and shape of each suite in the picture of these rows."""
    encoding = plots_of.spec(plots.picture(summary(df)))["hconcat"][0]["layer"][-1]["encoding"]
    colors, shapes = (encoding[channel]["scale"] for channel in ("fill", "shape"))
    return {suite: look for suite, *look in zip(colors["domain"], colors["range"], shapes["range"], strict=True)}


class TestFigures:
    WRONG_MEANS = {("3.8", "AES-128 GCM"), ("3.10", "AES-128 GCM")}

    def test_printed_averages_but_for_the_errata(self) -> None:
        wrong = set()
        for table in THERE.tables:
            for row in table.rows:
                assert len(row.runs) == 3
                if mean(row.runs) != pytest.approx(row.average, abs=0.00501):
                    wrong.add((table.source, row.label))
        assert wrong == self.WRONG_MEANS
        said = [one.what for one in reference.load().errata if one.where == "3.8, 3.10"]
        assert said == ["AES-128 GCM averages 2.52 GB/s, not 2.51"]

    def test_the_trend_ends_above_the_table_before_it(self) -> None:
        """The erratum of 3.12 and 3.13."""
        (table,) = [table for table in THERE.tables if table.source == "3.12"]
        assert THERE.trend.sizes[table.size] == 1.994
        assert table.rows[0].value == pytest.approx(1.957, abs=0.0005)
        assert list(THERE.trend.sizes.values()) == sorted(THERE.trend.sizes.values())

    def test_every_suite_of_it_exists(self) -> None:
        suites = {row.suite for table in THERE.tables for row in table.rows} | {THERE.trend.suite}
        assert suites <= set(Catalog().suites)
