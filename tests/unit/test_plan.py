# SPDX-License-Identifier: MIT
from collections import Counter
from itertools import groupby

import pytest

from lab.benches.vpn.cells import make
from lab.catalog.catalog import Catalog
from lab.core.errors import UsageError
from lab.results.cell import Cell, conditions_text, parse_conditions
from lab.runner.plan import Plan

CONDITIONS = {"handshake": [""], "throughput": ["direction=up streams=1", "direction=up streams=4"]}


def plan(catalog: Catalog, *, blocks: int = 3, seed: int = 0, **options: object) -> Plan:
    lacks, wires = options.pop("lacks", {}), options.pop("wires", {"whole": ""})
    suites = catalog.choose_suites(options.pop("suites", []))  # type: ignore[arg-type]
    vpns = catalog.choose_vpns(options.pop("vpns", []), options.pop("variants", []))  # type: ignore[arg-type]
    return make(catalog, vpns, suites, CONDITIONS, blocks=blocks, seed=seed, lacks=lacks, wires=wires, **options)  # type: ignore[arg-type]


def tunnels(cells: object) -> set[str]:
    return {f"{cell.vpn}/{cell.variant}/{cell.suite}" for cell in cells}  # type: ignore[attr-defined]


def test_the_cross_product(catalog: Catalog) -> None:
    made = plan(catalog)
    assert tunnels(made.cells) == {
        "bare/wire/none",
        *(f"alpha/{variant}/{suite}" for variant in ("udp", "tcp") for suite in ("strong", "weak")),
        "beta/udp/strong",
        "beta/udp/odd",
    }
    assert len(made.cells) == len(set(made.cells)) == 7 * 3


def test_what_a_dialect_has_no_name_for_is_unsupported_with_its_reason(catalog: Catalog) -> None:
    made = plan(catalog)
    assert tunnels(made.unsupported) == {"alpha/udp/odd", "alpha/tcp/odd", "beta/udp/weak"}
    assert made.unsupported[Cell("beta", "udp", "weak", "handshake")] == "latin has nothing weak"
    assert not set(made.cells) & set(made.unsupported)


def test_what_the_kernel_lacks_is_unsupported_whatever_the_suite(catalog: Catalog) -> None:
    made = plan(catalog, lacks={("beta", "udp"): "no Beta here"})
    assert "beta" not in {cell.vpn for cell in made.cells}
    assert {made.unsupported[cell] for cell in made.unsupported if cell.vpn == "beta"} == {"no Beta here"}


def test_a_control_runs_its_own_suites_whatever_was_chosen(catalog: Catalog) -> None:
    assert tunnels(plan(catalog, suites=["odd"], vpns=["beta"]).cells) == {"bare/wire/none", "beta/udp/odd"}


def test_a_controls_suite_means_nothing_to_the_others(catalog: Catalog) -> None:
    assert "none" not in {cell.suite for cell in plan(catalog).unsupported}


def test_variants_limit_all_but_controls(catalog: Catalog) -> None:
    assert tunnels(plan(catalog, variants=["tcp"], suites=["strong"]).cells) == {"bare/wire/none", "alpha/tcp/strong"}


def test_every_block_holds_every_cell_once_in_an_order_of_its_own(catalog: Catalog) -> None:
    made = plan(catalog, blocks=4)
    steps = made.steps()
    orders = []
    for block in range(4):
        inside = [step for step in steps if step.block == block]
        assert Counter(step.cell for step in inside) == Counter(made.cells)
        assert [step.position for step in inside] == list(range(len(made.cells)))
        orders.append(tuple(step.cell for step in inside))
    assert len(set(orders)) == 4
    assert [step.block for step in steps] == sorted(step.block for step in steps)


def test_the_seed_makes_the_order(catalog: Catalog) -> None:
    assert plan(catalog, seed=1).steps() == plan(catalog, seed=1).steps()
    assert plan(catalog, seed=1).steps() != plan(catalog, seed=2).steps()


def test_more_blocks_leave_the_order_of_the_first_as_it_was(catalog: Catalog) -> None:
    few, many = plan(catalog, blocks=2).steps(), plan(catalog, blocks=5).steps()
    assert many[: len(few)] == few


@pytest.mark.parametrize("seed", [0, 1, 2016])
def test_shared_tunnels_hold_all_their_cells_one_after_the_other(catalog: Catalog, seed: int) -> None:
    made = plan(catalog, blocks=4, seed=seed, shared=True)
    orders = []
    for block in range(4):
        inside = [step for step in made.steps() if step.block == block]
        assert Counter(step.cell for step in inside) == Counter(made.cells)
        assert [step.position for step in inside] == list(range(len(made.cells)))
        brought_up = [tunnel for tunnel, _ in groupby(step.cell.subject for step in inside)]
        assert len(brought_up) == len(set(brought_up)) == 7, "a tunnel is brought up twice in a block"
        orders.append((tuple(brought_up), tuple(step.cell for step in inside)))
    assert len({tunnels for tunnels, _ in orders}) > 1
    assert len(set(orders)) == 4


def test_the_cells_of_a_shared_tunnel_have_an_order_of_their_own_too(catalog: Catalog) -> None:
    made = plan(catalog, blocks=20, shared=True)
    first = {steps[0].cell.measure for steps in made.groups(made.steps()) if steps[0].cell.vpn == "bare"}
    assert first == set(CONDITIONS)


def test_the_seed_makes_the_order_of_shared_tunnels(catalog: Catalog) -> None:
    assert plan(catalog, seed=1, shared=True).steps() == plan(catalog, seed=1, shared=True).steps()
    assert plan(catalog, seed=1, shared=True).steps() != plan(catalog, seed=2, shared=True).steps()
    few, many = (plan(catalog, blocks=blocks, shared=True).steps() for blocks in (2, 5))
    assert many[: len(few)] == few


def test_every_sample_has_a_tunnel_of_its_own(catalog: Catalog) -> None:
    made = plan(catalog)
    assert made.groups(made.steps()) == [[step] for step in made.steps()]


def test_samples_by_the_tunnel_that_they_share(catalog: Catalog) -> None:
    made = plan(catalog, blocks=3, shared=True)
    steps = made.steps()
    found = made.groups(steps)
    assert [step for each in found for step in each] == steps
    assert len(found) == 7 * 3
    for each in found:
        assert len(each) == 3
        assert len({(step.block, step.cell.subject) for step in each}) == 1


def test_one_tunnel_does_not_last_longer_than_its_block() -> None:
    """Where the last tunnel of a block is the first of the next, it is brought up anew."""
    only = Plan((Cell("alpha", "udp", "strong", "a"), Cell("alpha", "udp", "strong", "b")), {}, 3, 0, shared=True)
    assert [[step.block for step in each] for each in only.groups(only.steps())] == [[0, 0], [1, 1], [2, 2]]


def test_what_makes_a_tunnel() -> None:
    cell = Cell("alpha", "udp", "strong", "throughput", "streams=1")
    assert cell.subject == Cell("alpha", "udp", "strong", "latency", "load=none").subject
    others = [
        Cell("beta", "udp", "strong", "t"),
        Cell("alpha", "tcp", "strong", "t"),
        Cell("alpha", "udp", "weak", "t"),
    ]
    assert len({cell.subject, *(other.subject for other in others)}) == 4


def test_what_one_data_path_lacks_is_no_matter_of_the_others(catalog: Catalog) -> None:
    made = plan(catalog, lacks={("alpha", "tcp"): "no TCP here"}, suites=["strong"])
    assert tunnels(made.cells) == {"bare/wire/none", "alpha/udp/strong", "beta/udp/strong"}
    assert set(made.unsupported.values()) == {"no TCP here"}


@pytest.mark.parametrize(
    ("conditions", "text"),
    [({"streams": 1, "direction": "up"}, "direction=up streams=1"), ({}, ""), ({"load": "busy"}, "load=busy")],
)
def test_conditions_as_text_and_back(conditions: dict[str, object], text: str) -> None:
    assert conditions_text(conditions) == text
    assert parse_conditions(text) == {key: str(value) for key, value in conditions.items()}


def test_a_cell_in_words() -> None:
    assert str(Cell("alpha", "udp", "strong", "throughput", "streams=1")) == "alpha udp strong throughput streams=1"
    assert str(Cell("alpha", "udp", "strong", "handshake")) == "alpha udp strong handshake"


def test_a_plan_that_nobody_could_wait_for() -> None:
    cells = tuple(Cell("a", "v", "s", f"m{number}") for number in range(101))
    with pytest.raises(UsageError, match="101 cells in 10000 blocks are 1010000 samples; a run has at most 1000000"):
        Plan(cells, {}, 10_000, 0)
