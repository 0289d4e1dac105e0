# SPDX-License-Identifier: MIT
"""Build images side by side: the Debian root, the base on it, then each image whose own base is built."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from threading import Event
from typing import Protocol

from docker.errors import APIError

from lab.core.errors import LabError
from lab.engines import images, rootfs
from lab.engines.engine import Engine, because
from lab.engines.rootfs import Source

ROOT = "root"
"""The name of the Debian root in the progress of a build."""
LANES = 2
"""Images built at once: while one waits for the network, the other unpacks."""
STEP = re.compile(r"^Step (\d+)/(\d+) : (.*)", re.DOTALL)
CACHED = "---> Using cache"


class Follower(Protocol):
    """Is told of the progress of a build, by several threads."""

    def planned(self, names: Collection[str]) -> None:
        """Only these are still to be built."""

    def began(self, name: str) -> None:
        """An image is being built now."""

    def step(self, name: str, number: int, total: int, text: str) -> None:
        """An image has come to a step of its Dockerfile."""

    def ended(self, name: str, how: str, *, anew: bool) -> None:
        """An image is there; `anew`: every step was carried out."""

    def say(self, text: str) -> None:
        """Something else to tell."""


@dataclass(frozen=True)
class _Job:
    """What the images of one build share."""

    engine: Engine
    root: str
    follower: Follower
    stop: Event


def build(
    engine: Engine,
    chosen: Sequence[Path],
    follower: Follower,
    *,
    source: Source = "auto",
    seconds: Mapping[str, float] | None = None,
    needed: Callable[[], Collection[str]] | None = None,
) -> None:
    """Build the images of the folders `chosen`; those that are current are left alone.

    `seconds` that images are expected to take: of those that can be built, the one with the longest way to go is next.
    `needed`, asked once the base is built: the names of those that shall be built; all if there is no such function.

    Raises:
        LabError: a build failed; with the last lines of its output. The others are stopped.
    """
    by_name = {folder.name: folder for folder in chosen}
    follower.planned([ROOT, *by_name])
    follower.began(ROOT)
    had = {tag for tag in (rootfs.STOCK, rootfs.ROOTFS) if engine.image_id(tag)}
    root = rootfs.ready(engine, follower.say, source=source)
    follower.ended(ROOT, root, anew=root not in had and root != rootfs.STOCK)
    job = _Job(engine, root, follower, Event())
    with ThreadPoolExecutor(LANES) as pool:
        try:
            _side_by_side(pool, job, by_name, seconds or {}, needed)
        except BaseException:
            job.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _side_by_side(
    pool: ThreadPoolExecutor,
    job: _Job,
    by_name: Mapping[str, Path],
    seconds: Mapping[str, float],
    needed: Callable[[], Collection[str]] | None,
) -> None:
    graph = {name: images.parents(folder).values() & by_name.keys() for name, folder in by_name.items()}
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    running: dict[Future[None], str] = {}
    waiting: list[str] = []
    dropped: set[str] = set()
    while sorter.is_active():
        waiting += sorter.get_ready()
        for name in [name for name in waiting if name in dropped]:
            waiting.remove(name)
            sorter.done(name)
        waiting.sort(key=lambda name: _way(name, graph, seconds))
        while waiting and len(running) < LANES:
            name = waiting.pop()
            running[pool.submit(_image, job, by_name[name])] = name
        for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
            name = running.pop(future)
            future.result()
            if name == images.BASE and needed:
                dropped = by_name.keys() - set(needed())
                if dropped:
                    job.follower.say(f"left out, since nothing here needs them: {', '.join(sorted(dropped))}")
                job.follower.planned(by_name.keys() - dropped - {name})
            sorter.done(name)


def _way(name: str, graph: Mapping[str, Collection[str]], seconds: Mapping[str, float]) -> float:
    """Seconds from the start of an image to the end of the last one that is built on it."""
    above = [_way(other, graph, seconds) for other, parents in graph.items() if name in parents]
    return seconds.get(name, 0) + max(above, default=0)


def _image(job: _Job, folder: Path) -> None:
    """Build the image of one folder, unless it is current."""
    tag, engine = images.tag_of(folder), job.engine
    arguments = {argument: f"lab/{name}:latest" for argument, name in images.parents(folder).items()}
    arguments |= {images.ROOT_ARGUMENT: job.root} if images.needs_root(folder) else {}
    built_on = "".join(f"{key}={engine.image_id(value)}" for key, value in sorted(arguments.items()))
    labels = {images.DIGEST: images.folder_digest(folder), images.PARENTS: built_on}
    if images.labels(engine, tag, *labels) == list(labels.values()):
        job.follower.ended(folder.name, "unchanged", anew=False)
        return
    job.follower.began(folder.name)
    try:
        with rootfs.credentials():
            output = engine.client.api.build(
                path=str(folder), tag=tag, buildargs=arguments, labels=labels, rm=True, forcerm=True, decode=True
            )
        anew = _followed(job, folder.name, output)
    except APIError as error:
        raise LabError(f"{tag} could not be built: {because(error)}") from error
    job.follower.ended(folder.name, "built", anew=anew)


def _followed(job: _Job, name: str, output: Iterator[Mapping[str, str]]) -> bool:
    """Follow a build to its end; whether no step came out of the engine's cache.

    Raises:
        LabError: a step failed.
    """
    lines: list[str] = []
    anew = True
    for part in output:
        if job.stop.is_set():
            return False  # the engine stops a build that nobody reads
        if "error" in part:
            raise LabError(f"lab/{name}:latest could not be built: {part['error']}\n{rootfs.tail(''.join(lines))}")
        text = part.get("stream", "")
        lines.append(text)
        anew = anew and CACHED not in text
        if step := STEP.match(text):
            job.follower.step(name, int(step[1]), int(step[2]), " ".join(step[3].split()))
    return anew
