# SPDX-License-Identifier: MIT
"""A browser without a network, driven from outside, and a page for it to open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.remote_connection import ChromeRemoteConnection
from urllib3.util import Retry

from lab.benches.vpn.views import report
from lab.core.paths import ROOT
from lab.engines import ownership
from lab.engines.engine import Engine, connect
from lab.report.page import write_page
from lab.report.views import nobody
from lab.results.store import Store
from lab.stats.summary import Summary

RUN = ROOT / "results" / "20261123-115837-fyk"
TAG = "lab-tests/browser:latest"
PORT = 9515
SHARED = "/pages"
NAME = "browser"


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the page of a committed run; the browser's user can read it."""
    folder = tmp_path_factory.mktemp("pages")
    run = Summary.of(Store(RUN))
    write_page(folder, run, lambda: report.tables(run, nobody, whole=True), report.pictures(run))
    for part in (folder, *folder.iterdir()):
        part.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def address(pages: Path) -> Iterator[str]:
    """Where the browser is driven from: a network of its own that leads nowhere."""
    engine: Engine = connect()
    engine.client.images.build(
        path=str(Path(__file__).parent), tag=TAG, buildargs={"BASE": "lab/base:latest"}, rm=True, pull=False
    )
    labels = ownership.labels(NAME)
    network = engine.client.networks.create(ownership.called(NAME, "net"), internal=True, labels=labels)
    try:
        container = engine.client.containers.run(
            TAG, detach=True, init=True, network=network.name, labels=labels, name=ownership.called(NAME, "chromium"),
            volumes={str(pages): {"bind": SHARED, "mode": "ro"}}, cap_drop=["ALL"], shm_size="256m",
        )  # fmt: skip
        try:
            container.reload()
            (attached,) = container.attrs["NetworkSettings"]["Networks"].values()
            url = f"http://{attached['IPAddress']}:{PORT}"
            wait_until_ready(f"{url}/status")
            yield url
        finally:
            container.remove(force=True, v=True)
    finally:
        network.remove()


def wait_until_ready(url: str) -> None:
    """Ask until the driver says that it takes commands."""
    retry = Retry(total=20, connect=20, backoff_factor=0.1, backoff_max=2)
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        assert session.get(url, timeout=30).json()["value"]["ready"]


@pytest.fixture
def browser(address: str) -> Iterator[webdriver.Remote]:
    """A fresh window, 1280 pixels wide."""
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Remote(ChromeRemoteConnection(address), options=options)
    try:
        yield driver
    finally:
        driver.quit()
