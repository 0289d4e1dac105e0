# SPDX-License-Identifier: MIT
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.engines.images import folder_digest, tag_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image = tmp_path / "alpha"
    (image / "etc").mkdir(parents=True)
    (image / "Dockerfile").write_text("FROM x\n", encoding="utf-8")
    (image / "up").write_text("#!/bin/bash\n", encoding="utf-8")
    (image / "up").chmod(0o755)
    (image / "etc" / "conf").write_text("a=1\n", encoding="utf-8")
    return image


@pytest.mark.parametrize(
    "change",
    [
        lambda image: (image / "etc" / "conf").write_text("a=2\n", encoding="utf-8"),
        lambda image: (image / "etc" / "conf").rename(image / "etc" / "konf"),
        lambda image: (image / "etc" / "conf").rename(image / "conf"),
        lambda image: (image / "up").chmod(0o644),
        lambda image: (image / "new").write_text("", encoding="utf-8"),
        lambda image: (image / "up").unlink(),
    ],
    ids=["contents", "name", "place", "executable-bit", "new", "gone"],
)
def test_the_digest_changes_with_all_that_goes_into_an_image(folder: Path, change: Callable[[Path], object]) -> None:
    before = folder_digest(folder)
    change(folder)
    assert folder_digest(folder) != before


def test_the_digest_stays_with_what_does_not_matter(folder: Path) -> None:
    before = folder_digest(folder)
    (folder / "empty").mkdir()
    (folder / "up").chmod(0o700)
    (folder / "up").write_bytes((folder / "up").read_bytes())
    moved = folder.rename(folder.parent / "beta")
    assert folder_digest(moved) == before


@pytest.mark.parametrize("name", ["vpn.yaml", "README.md"])
def test_what_describes_an_image_is_not_in_it(folder: Path, name: str) -> None:
    before = folder_digest(folder), folder_digest(folder, described=True)
    (folder / name).write_text("title: Alpha\n", encoding="utf-8")
    assert folder_digest(folder) == before[0]
    assert (folder_digest(folder, described=True) != before[1]) is (name == "vpn.yaml")
    (folder / "etc" / name).write_text("", encoding="utf-8")
    assert folder_digest(folder) != before[0]


def test_contents_do_not_run_into_each_other(tmp_path: Path) -> None:
    digests = set()
    for number, (first, second) in enumerate([("ab", "c"), ("a", "bc"), ("abc", "")]):
        image = tmp_path / str(number)
        image.mkdir()
        (image / "a").write_text(first, encoding="utf-8")
        (image / "b").write_text(second, encoding="utf-8")
        digests.add(folder_digest(image))
    assert len(digests) == 3


def test_tags(folder: Path) -> None:
    assert tag_of(folder) == "lab/alpha:latest"
