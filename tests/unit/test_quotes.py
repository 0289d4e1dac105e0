# SPDX-License-Identifier: MIT
"""Single figures of a run as text: what a page of documentation quotes."""
# ruff: noqa: RUF001 - en dashes are what the pages show

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import test_crypto_frame
import test_ktls_tables
import test_thesis
from frames import UP, VM, cell, control, frame, ledger, missing, one

from lab.benches.crypto.views.quotes import Quotes as OfCiphers
from lab.benches.ktls.views.quotes import Quotes as OfRecords
from lab.benches.vpn.views.quotes import Quotes as OfVpns
from lab.core.errors import LabError
from lab.report import quotes
from lab.stats import analysis
from lab.stats.summary import Summary

META: dict[str, Any] = {"controls": ["plain"], "processors": 2, "settings": {"blocks": 4}}


def of_vpns(df: pd.DataFrame, samples: Any = (), raw: Any = None) -> OfVpns:
    return OfVpns(Summary(df, META, samples), raw)


def a_run(**where: Any) -> pd.DataFrame:
    """A path that repeats, one in two modes, one that spreads; a suite that only one of them has; the control."""
    return frame(
        [
            *cell("alpha", "x", [100, 101, 102], **where),
            *cell("beta", "x", [200, 202, 100], **where),
            *cell("gamma", "x", [100, 110, 121], **where),
            *cell("alpha", "x", [7, 7, 7], conditions="direction=down streams=1", **where),
            *cell("alpha", "y", [50, 50, 50], **where),
            missing("beta", "y", "unsupported", "no such suite", **where),
            *control([1000, 900, 950], **where),
        ]
    )


class TestTexts:
    def rows(self, values: list[float], **where: Any) -> list[Any]:
        return list(analysis.summarise(frame(cell("a", "x", values, **where)), "throughput").itertuples(index=False))

    def test_a_median_with_its_interval_on_the_wall_clock(self) -> None:
        assert quotes.typical(self.rows([100, 110, 120])) == "110 (100–120)"

    def test_on_the_instruction_clock_the_median_alone(self) -> None:
        assert quotes.typical(self.rows([100, 101, 102], **VM)) == "101"

    def test_modes_side_by_side_the_more_frequent_first(self) -> None:
        assert quotes.typical(self.rows([100, 200, 202], **VM)) == "201 or 100"

    def test_a_spread_without_modes_from_least_to_greatest(self) -> None:
        assert quotes.typical(self.rows([100, 110, 121], **VM)) == "100–121"
        assert quotes.extent(self.rows([100, 200, 202], **VM)) == "100–202"

    def test_nothing_is_a_dash(self) -> None:
        assert quotes.typical([]) == quotes.medians([]) == quotes.extent([]) == "–"


class TestVpns:
    def test_rates(self) -> None:
        run = of_vpns(a_run(**VM))
        assert [run.rate(f"{name}/udp", "x") for name in ("alpha", "beta", "gamma")] == ["101", "201 or 100", "100–121"]
        assert run.median_rate("gamma/udp", "x") == "110"
        assert run.control == "950"

    def test_a_suite_that_a_path_lacks_is_a_dash_and_an_unknown_name_an_error(self) -> None:
        run = of_vpns(a_run(**VM))
        assert run.rate("beta/udp", "y") == "–"
        with pytest.raises(LabError, match="run r1 has no throughput of suite 'z'") as caught:
            run.rate("beta/udp", "z")
        assert "none, x, y" in caught.value.hint
        with pytest.raises(LabError, match="no throughput of vpn 'delta'"):
            run.rate("delta/udp", "x")

    def test_one_path_ahead_of_another(self) -> None:
        fast, slow, near = [200.0, 202, 201, 200], [100.0, 101, 100, 101], [199.0, 203, 200, 201]
        paths = {"fast": fast, "slow": slow, "near": near}
        run = of_vpns(frame([row for name, values in paths.items() for row in cell(name, "x", values)]))
        told = run.ahead("fast/udp", "slow/udp", "x")
        low, high = (float(word) for word in told.removesuffix(" times as fast as").split(" to "))
        assert 1.95 < low < 2 < high < 2.05
        assert run.ahead("slow/udp", "fast/udp", "x") == "not shown to be faster than"
        assert run.ahead("fast/udp", "near/udp", "x") == "not shown to be faster than"
        with pytest.raises(LabError, match="does not compare fast/udp with none/udp by x"):
            run.ahead("fast/udp", "none/udp", "x")

    def test_how_well_cells_repeat(self) -> None:
        run = of_vpns(a_run(**VM))
        repeats = run.repeats()
        assert (repeats.cells, dict(repeats.several)) == (5, {"beta/udp": 1})
        assert [repeats.spread(share) for share in (0, 1)] == ["0.0 %", "19.1 %"]
        assert repeats.widest == "1.21"
        assert [repeats.within(share) for share in (0.01, 0.02, 0.5, 2)] == ["1 of 5", "2 of 5", "4 of 5", "5 of 5"]
        assert run.repeats("throughput", suite="x").cells == 4

    def test_two_runs_side_by_side(self) -> None:
        values = {"same": [100.0, 100.1, 100.2], "slower": [90.0, 90.1, 90.2]}
        one, other = (
            of_vpns(frame([row for name in values for row in cell(name, "x", of[name], **VM)]))
            for of in (dict.fromkeys(values, values["same"]), values)
        )
        beside = one.beside(other, "throughput", "server")
        assert (beside.cells, dict(beside.verdicts)) == (2, {"tie": 1, "lower": 1})
        assert [beside.apart(share) for share in (0, 1)] == ["0.0 %", "10.0 %"]

    def test_a_block_beside_the_others(self) -> None:
        run = of_vpns(frame([*cell("a", "x", [50, 100, 100]), *cell("b", "x", [80, 100, 102]), *control([9, 9, 9])]))
        assert run.level(0) == "0.792"  # of 0.5, 80/101 and 1, the middle one

    def test_what_was_taken_and_how_it_ended(self) -> None:
        outcomes = [(-1, "unsupported"), (0, "ok"), (1, "ok"), (2, "invalid")]
        run = of_vpns(a_run(), [{"position": place, "outcome": outcome} for place, outcome in outcomes])
        assert (run.samples, run.impossible, run.ended("ok"), run.ended("invalid")) == (3, 1, 2, 1)
        assert (run.name, run.blocks) == ("r1", 4)

    def test_the_ledger_and_the_times(self) -> None:
        accounts = frame([entry for block in (0, 1) for entry in ledger("a", "x", block)])
        run = of_vpns(pd.concat([a_run(), accounts], ignore_index=True))
        assert run.closes() == run.closes("transfer") == "2 of 2"
        assert run.closes("throughput") == "0 of 0"
        assert run.wall("transfer") == (2.0, 2.0)

    def test_packets_on_the_wire_for_each_of_the_tunnel(self) -> None:
        def sample(wire: int, **other: Any) -> dict[str, Any]:
            times = {
                time: {"ends": {"client": {"interfaces": {
                    "eth0": {"tx_packets": 5 + wire * n}, "tun0": {"tx_packets": 7 + 100 * n}, "lo": {"tx_packets": n},
                }}}}
                for n, time in enumerate(("before", "after"))
            }  # fmt: skip
            standard = {"vpn": "a", "variant": "udp", "outcome": "ok", "measure": "throughput", "conditions": UP}
            return {**standard, "raw": {"load": times}, **other}

        samples = [sample(100), sample(102), sample(900, outcome="failed"), sample(900, variant="tcp")]
        assert of_vpns(a_run(), samples).wire_packets(["a/udp"]) == (1.0, 1.02)

    def test_any_figure_in_thousands(self) -> None:
        run = of_vpns(frame([*cell("a", "x", [50_000, 52_000, 51_000], metric="datagrams"), *control([9, 9, 9])]))
        assert run.any("throughput", "datagrams", "server", "a/udp", "x", UP, 1000) == "51.0"

    def test_exact_profiles_side_by_side(self) -> None:
        def sample(variant: str, *functions: list[Any]) -> dict[str, Any]:
            readings = [{"metric": "payload", "end": "machine", "value": 1000, "unit": "B"}]
            raw = {"functions": [[*row, 1] for row in functions]}
            return {
                "vpn": "a", "variant": variant, "suite": "x", "conditions": "size=1000", "outcome": "ok", "raw": raw,
                "readings": readings,
            }  # fmt: skip

        one = sample("udp", ["client", "d", "[kernel]", "copy", 3000], ["client", "d", "libc", "malloc", 40])
        two = sample("tcp", ["client", "d", "[kernel]", "copy", 1000], ["server", "d", "daemon", "seal", 5000])
        run = of_vpns(a_run(), [one, two])
        assert run.objects([("a/udp", "x"), ("a/tcp", "x")], 0.1) == [
            ("daemon", [0.0, 5.0]), ("[kernel]", [3.0, 1.0]), ("the rest", [0.04, 0.0]), ("all", [3.04, 6.0]),
        ]  # fmt: skip
        (most,) = run.gained("a/tcp", "a/udp", "x", 1)
        assert (most.where.name, most.before, most.after) == ("seal", 0.0, 5.0)
        with pytest.raises(LabError, match="has no profile of a/udp by y"):
            run.profile("a/udp", "y")

    def test_system_calls_for_a_megabyte(self) -> None:
        accounts = frame([entry for block in (0, 1) for entry in ledger("a", "x", block)])
        assert of_vpns(pd.concat([a_run(), accounts], ignore_index=True)).system_calls("a/udp", "x") == 10490

    def test_the_share_of_the_ciphers_speed(self) -> None:
        class Half:
            run = "c"

            def share(self, vpn: str, records: str, suite: str, throughput: float) -> float:
                return throughput / 202

            def note(self) -> str:
                return ""

        assert of_vpns(a_run(), raw=Half()).raw_share("alpha/udp", "x") == "50.0 %"
        assert of_vpns(a_run()).raw_share("alpha/udp", "x") == "–"

    def test_beside_the_thesis(self) -> None:
        run = of_vpns(test_thesis.a_run())
        assert (run.vpn_order.same, run.vpn_order.total) == (1, 1)  # OpenConnect before OpenVPN
        assert (run.suite_order.same, run.suite_order.total, run.suite_order.reversed) == (
            2, 3, ("aes-128-gcm > aes-128-cbc-sha1 there",),
        )  # fmt: skip
        assert run.kernel_share("openvpn") == "75.0 %"  # 0.75 of 1 s
        assert run.kernel_share_there("openvpn") == "61.4 %"
        assert run.cpu_ratio_there("openconnect", "openvpn") == "0.704"


class TestRecords:
    def test_costs_rates_and_ratios(self) -> None:
        run = OfRecords(Summary(test_ktls_tables.a_run(**VM), {}))
        assert run.cost("dtls", "library", 1400) == "14.0"  # 1400 / 100 * 1000 instructions
        assert run.cost_extent("dtls", "library", 1400) == "13.9–14.1"
        assert run.rate_extent("dtls", "library", 1400) == "99.0–101"
        assert run.rate_ratio("dtls", "kernel", "library", 1400) == "0.800"
        assert run.cost_ratio("dtls", "kernel", "library", 1400) == "1.25"
        assert run.cost_ratios("dtls", "kernel", "library", (1400, 16000)) == "1.25–1.25"
        assert run.rate_ratio("tcp", "raw", "raw", 1400, ("file/sendfile", "file/user-send")) == "2.00"
        assert run.cost("tls", "kernel", 1400) == "–"

    def test_the_thesis(self) -> None:
        run = OfRecords(Summary(test_ktls_tables.a_run(**VM), {}))
        assert run.rate_ratio_there("dtls", 1400) == "0.775"  # C.1: 104.527 / 134.796
        assert run.file_ratio_there("dtls", "sendfile", "user-send") == "1.11"  # C.6: 322.825 / 291.062

    def test_the_part_of_a_category(self) -> None:
        line = "{}%\t{}\tktls-bench\t[kernel]\t[k] {}"
        perf = "\n".join(line.format(share, share, symbol) for share, symbol in ((25, "memcpy"), (75, "nonesuch")))
        sample = {
            "vpn": "dtls", "variant": "library", "suite": "aes-128-gcm", "outcome": "ok", "raw": {"perf": perf},
            "conditions": "payload=1400 scenario=transmission way=send",
        }  # fmt: skip
        run = OfRecords(Summary(test_ktls_tables.a_run(**VM), {}, [sample]))
        assert run.part("dtls", "library", 1400, "copy") == "3.50"  # a quarter of 14.0
        assert run.part("dtls", "library", 1400, "copy", "other") == "14.0"


class TestCiphers:
    def test_speeds_and_ratios(self) -> None:
        run = OfCiphers(Summary(test_crypto_frame.a_run(), {}))
        assert run.speed("openssl", "host", "aes-128-gcm", 16384) == "10.0"
        assert run.speed("openssl", "host", "aes-128-gcm", 16384, 1e6) == "10000"
        assert (
            run.ratio("openssl", "aes-128-gcm", 16384) == run.ratio_within("openssl", "aes-128-gcm", 16384) == "0.900"
        )

    def test_the_thesis(self) -> None:
        run = OfCiphers(Summary(test_crypto_frame.a_run(), {}))
        assert run.ratio_there("openssl", "aes-128-gcm") == "0.995"  # 3.8 and 3.9: 7.51 / 7.55
        assert run.speed_there(8192, 1e6) == "1994"


def test_the_quoted_median_is_that_of_the_summary() -> None:
    df = frame([*cell("a", "x", [1, 2, 3, 4, 50]), *control([9, 9, 9, 9, 9])])
    summary = one(analysis.summarise(df[df["vpn"] == "a"], "throughput"))
    assert of_vpns(df).median_rate("a/udp", "x") == f"{summary['median']:.2f}"
