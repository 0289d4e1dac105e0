# SPDX-License-Identifier: MIT
"""Images are built side by side, each after those that it is built on; and the progress says how long it takes."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import ImageNotFound
from rich.console import Console

from lab.core.errors import LabError, UsageError
from lab.engines import images, rootfs
from lab.engines.build import build
from lab.engines.build_progress import BuildProgress, Estimate, times
from lab.engines.engine import Engine

FILES = {
    "base": "ARG ROOTFS\nFROM ${ROOTFS}\nRUN install\n",
    "alpha": "ARG BASE\nFROM ${BASE}\nRUN install alpha\n",
    "alpha-more": "ARG ROOTFS\nARG ALPHA\nARG OPTION=1\nFROM ${ROOTFS} AS tools\nRUN make\nFROM ${ALPHA}\n",
    "beta": "ARG BASE\nFROM ${BASE}\n",
}


class Docker:
    """An engine's images, and what building them says."""

    def __init__(self, failing: str = "") -> None:
        self.failing, self.built = failing, list[str]()
        self.labels: dict[str, dict[str, str]] = {rootfs.STOCK: {}}
        self.arguments: dict[str, dict[str, str]] = {}
        self.together = threading.Barrier(2, timeout=10)
        self.meeting = ["lab/alpha:latest", "lab/beta:latest"]
        self.images, self.api = SimpleNamespace(get=self._get), SimpleNamespace(build=self._build)

    def _get(self, tag: str) -> Any:
        if tag not in self.labels:
            raise ImageNotFound(tag)
        return SimpleNamespace(id=f"sha256:{tag}{len(self.labels[tag])}", labels=self.labels[tag])

    def _build(self, *, tag: str, buildargs: dict[str, str], labels: dict[str, str], **_: Any) -> Iterator[Any]:
        self.arguments[tag] = buildargs
        yield {"stream": "Step 1/2 : FROM something\n"}
        yield {"stream": "Step 2/2 : RUN   install   it\n"}
        if tag in self.meeting and not self.failing:
            self.together.wait()  # passes only if both are being built at once
        if tag == self.failing:
            yield {"stream": "E: no such package\n"}
            yield {"error": "returned a non-zero code: 100"}
        self.built.append(tag)
        self.labels[tag] = labels


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    for name, text in FILES.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "Dockerfile").write_text(text)
    return images.folders(tmp_path / "images")


def engine(docker: Docker) -> Engine:
    return Engine(cast(Any, docker))


def progress(expected: dict[str, float] | None = None) -> tuple[BuildProgress, io.StringIO]:
    out = io.StringIO()
    return BuildProgress(Console(file=out, width=80), Estimate(expected or {})), out


def test_what_an_image_is_built_on_is_told_by_its_arguments(folders: list[Path]) -> None:
    by_name = {folder.name: folder for folder in folders}
    assert images.parents(by_name["alpha-more"]) == {"ALPHA": "alpha"}
    assert images.parents(by_name["base"]) == {}
    root = folders[0].parent
    assert [folder.name for folder in images.folders(root, "alpha-more")] == ["base", "alpha", "alpha-more"]
    assert [folder.name for folder in images.folders(root, "beta")] == ["base", "beta"]
    (root / "beta" / "Dockerfile").write_text("ARG ALPA\nFROM ${ALPA}\n")
    with pytest.raises(UsageError, match="unknown image 'alpa'"):
        images.folders(root, "beta")


def test_images_are_built_at_once_and_each_after_its_own_base(folders: list[Path]) -> None:
    docker = Docker()
    build(engine(docker), folders, progress()[0])
    assert docker.built[0] == "lab/base:latest"
    assert docker.built.index("lab/alpha:latest") < docker.built.index("lab/alpha-more:latest")
    assert docker.arguments["lab/alpha-more:latest"] == {"ALPHA": "lab/alpha:latest", "ROOTFS": rootfs.STOCK}
    assert docker.arguments["lab/beta:latest"] == {"BASE": "lab/base:latest"}
    assert all(images.is_current(engine(docker), folder) for folder in folders)


def test_the_longest_way_comes_first(folders: list[Path]) -> None:
    """`alpha` is short, but what is built on it is not: it and `gamma` are built at once, before `beta`."""
    gamma = folders[0].parent / "gamma"
    gamma.mkdir()
    (gamma / "Dockerfile").write_text(FILES["beta"])
    docker = Docker()
    docker.meeting = ["lab/alpha:latest", "lab/gamma:latest"]
    seconds = {"alpha": 1.0, "alpha-more": 50.0, "beta": 10.0, "gamma": 30.0}
    build(engine(docker), images.folders(folders[0].parent), progress()[0], seconds=seconds)
    begun = list(docker.arguments)
    assert begun[0] == "lab/base:latest"
    assert set(begun[1:3]) == set(docker.meeting)


def test_only_what_has_changed_is_built_again(folders: list[Path]) -> None:
    docker = Docker()
    build(engine(docker), folders, progress()[0])
    docker.built.clear()
    build(engine(docker), folders, progress()[0])
    assert docker.built == []
    (folders[0].parent / "alpha" / "new").write_text("")
    docker.together = threading.Barrier(1)
    build(engine(docker), folders, progress()[0])
    assert docker.built == ["lab/alpha:latest"], "the fake's ids do not change with what is in an image"


def test_an_image_is_out_of_date_when_what_it_is_built_on_is_another(folders: list[Path]) -> None:
    docker = Docker()
    build(engine(docker), folders, progress()[0])
    docker.labels["lab/alpha:latest"]["more"] = "another id"
    current = {folder.name: images.is_current(engine(docker), folder) for folder in folders}
    assert current == {"base": True, "alpha": True, "alpha-more": False, "beta": True}


def test_what_is_not_needed_is_not_built_once_the_base_can_tell(folders: list[Path]) -> None:
    docker = Docker()
    docker.together = threading.Barrier(1)
    told: list[list[str]] = []

    def needed() -> list[str]:
        told.append(list(docker.built))
        return ["base", "beta"]

    follower, out = progress()
    build(engine(docker), folders, follower, needed=needed)
    assert told == [["lab/base:latest"]], "asked once the base is there"
    assert docker.built == ["lab/base:latest", "lab/beta:latest"]
    assert "image 3 of 3, beta: built" in out.getvalue()


def test_a_failure_is_told_with_its_last_words_and_ends_the_others(folders: list[Path]) -> None:
    docker = Docker(failing="lab/alpha:latest")
    with pytest.raises(
        LabError, match=r"lab/alpha:latest could not be built: returned a non-zero code: 100\n"
    ) as caught:
        build(engine(docker), folders, progress()[0])
    assert caught.value.message.endswith("E: no such package")
    assert "lab/alpha-more:latest" not in docker.arguments


def test_without_a_terminal_each_command_and_each_image_is_a_line(folders: list[Path]) -> None:
    follower, out = progress(dict.fromkeys(["root", *FILES], 30.0))
    docker = Docker()
    build(engine(docker), [folders[0]], follower)
    lines = out.getvalue().splitlines()
    assert lines[0] == f"root: the stock image {rootfs.STOCK} is present"
    assert lines[1].startswith(f"image 1 of 2, root: {rootfs.STOCK} (about ")
    assert lines[2].startswith("image 2 of 2, base, step 2/2: RUN install it (about ")
    assert lines[3] == "image 2 of 2, base: built"
    assert len(lines) == 4


def test_a_terminal_is_drawn_while_several_threads_tell_of_progress() -> None:
    """Drawing asks for the time left, telling draws: neither waits for the other for ever."""
    names = [f"image-{number}" for number in range(100)]
    follower = BuildProgress(Console(file=io.StringIO(), width=80, force_terminal=True), Estimate({}))
    over = threading.Event()

    def tell(own: list[str]) -> None:
        for name in own:
            follower.began(name)
            follower.step(name, 1, 2, "RUN something")
            follower.ended(name, "built", anew=True)

    def draw(live: Any) -> None:
        while not over.is_set():
            live.refresh()

    def show() -> None:
        with follower.shown():
            follower.planned(names)
            tellers = [threading.Thread(target=tell, args=(names[part::2],), daemon=True) for part in range(2)]
            for thread in (*tellers, threading.Thread(target=draw, args=(follower._live,), daemon=True)):
                thread.start()
            for thread in tellers:
                thread.join()
            over.set()

    shown = threading.Thread(target=show, daemon=True)
    shown.start()
    shown.join(timeout=30)
    assert not shown.is_alive(), "the threads wait for each other"


class TestEstimate:
    EXPECTED = {"root": 20.0, "base": 10.0, "alpha": 40.0, "beta": 20.0}

    def test_at_first_the_expected_times_hold(self) -> None:
        assert Estimate(self.EXPECTED, lanes=1).left(["base", "alpha", "beta"], {"root": 5}, {}) == 15 + 70

    def test_two_at_once_take_half_but_no_less_than_the_longest(self) -> None:
        estimate = Estimate(self.EXPECTED, lanes=2)
        assert estimate.left(["alpha", "beta"], {"base": 0}, {}) == 40
        assert estimate.left(["alpha", "beta", "root", "base"], {}, {}) == 45

    def test_a_slower_machine_shows_as_soon_as_an_image_is_built(self) -> None:
        left = Estimate(self.EXPECTED, lanes=1).left(["alpha"], {}, {"root": 60.0, "base": 30.0})
        assert left is not None
        assert 40 * 2 < left < 40 * 3

    def test_an_image_that_takes_longer_than_expected_is_not_over(self) -> None:
        left = Estimate(self.EXPECTED).left([], {"base": 100}, {})
        assert left == 10

    def test_nothing_is_said_of_what_is_not_known(self) -> None:
        assert Estimate(self.EXPECTED).left(["other"], {}, {}) is None
        assert Estimate({}).left([], {}, {}) == 0


def test_there_is_a_time_for_every_image_of_this_checkout() -> None:
    root = Path(__file__).parents[2] / "images"
    assert {"root", *(folder.name for folder in images.folders(root))} == set(times(root))
    assert times(root / "none") == {}
