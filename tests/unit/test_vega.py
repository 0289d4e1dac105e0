# SPDX-License-Identifier: MIT
"""The script of the page's pictures: whole, from the library or from the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.report import vega


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a cache of the test's own, filled once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    vega.script.cache_clear()
    vega.script()
    vega.script.cache_clear()
    (kept,) = (tmp_path / "lab").iterdir()
    return kept


def test_it_offers_what_the_page_calls(cached: Path) -> None:
    assert "window.vegaEmbed=" in vega.script()
    assert cached.read_text(encoding="utf-8") == vega.script()


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"window.vega=1;"], ids=["empty", "no text", "another script"])
def test_a_damaged_cache_is_made_again(cached: Path, damage: bytes) -> None:
    cached.write_bytes(damage)
    assert "window.vegaEmbed=" in vega.script()
    vega.script.cache_clear()
    assert cached.read_text(encoding="utf-8") == vega.script()
