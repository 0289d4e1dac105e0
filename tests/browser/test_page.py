# SPDX-License-Identifier: MIT
"""The page of a run in a real browser: what it shows, what opens, what a link keeps; dark, narrow, without a script."""

from __future__ import annotations

from typing import Any

import pytest
from selenium.webdriver import Remote
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from .conftest import SHARED

pytestmark = pytest.mark.docker
PAGE = f"file://{SHARED}/report.html"
FIELD = ".load:not(.hidden) td.ok button"


def opened(browser: Remote, fragment: str = "") -> Remote:
    browser.get("about:blank")  # a page that differs in its fragment alone would not be loaded again
    browser.get(PAGE + fragment)
    return browser


def command(browser: Remote, name: str, **parameters: Any) -> Any:
    """A command of the browser's own protocol."""
    return browser.execute("executeCdpCommand", {"cmd": name, "params": parameters})["value"]


def complaints(browser: Remote) -> list[str]:
    """What the browser wrote to its console as an error."""
    entries = browser.execute("getLog", {"type": "browser"})["value"]
    return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


def visible(browser: Remote, selector: str) -> list[WebElement]:
    return [each for each in browser.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()]


def fragment(browser: Remote) -> str:
    return browser.current_url.partition("#")[2]


class TestMatrix:
    def test_the_first_load_is_shown_and_nothing_is_wrong(self, browser: Remote) -> None:
        opened(browser)
        assert len(visible(browser, "section.load")) == 1
        names = {each.get_attribute("data-vpn") for each in visible(browser, ".matrix thead th")}
        assert {"openvpn", "openconnect", "libreswan", "wireguard", "plain"} <= names
        fields = visible(browser, FIELD)
        assert all(float(each.text.split(" ")[0]) > 0 for each in fields)
        colors = {each.find_element(By.XPATH, "..").value_of_css_property("background-color") for each in fields}
        assert len(colors) > 5
        assert complaints(browser) == []

    def test_the_other_load_is_a_choice(self, browser: Remote) -> None:
        opened(browser)
        choice = Select(browser.find_element(By.NAME, "load"))
        titles = []
        for option in list(choice.options):
            choice.select_by_visible_text(option.text)
            (section,) = visible(browser, "section.load")
            titles.append(section.find_element(By.TAG_NAME, "h2").text)
        assert len(set(titles)) == len(titles) >= 2


class TestFilter:
    def test_it_hides_and_stands_in_the_address(self, browser: Remote) -> None:
        opened(browser)
        Select(browser.find_element(By.NAME, "vpn")).select_by_visible_text("openvpn")
        browser.find_element(By.NAME, "suite").send_keys("gcm")
        self.shows(browser, "openvpn", "gcm")
        kept = fragment(browser)
        assert "vpn=openvpn" in kept
        self.shows(opened(browser, f"#{kept}"), "openvpn", "gcm")

    def shows(self, browser: Remote, vpn: str, suite: str) -> None:
        heads = visible(browser, ".matrix thead th[data-vpn]")
        assert {each.get_attribute("data-vpn") for each in heads} == {vpn}
        rows = visible(browser, ".matrix tbody th")
        assert rows
        assert all(suite in each.text for each in rows)

    def test_pictures_show_the_same_selection(self, browser: Remote) -> None:
        opened(browser, "#vpn=openvpn")
        picture = browser.find_element(By.CSS_SELECTOR, "figure.chart")
        browser.execute_script("arguments[0].scrollIntoView()", picture)
        drawn = WebDriverWait(browser, 60).until(lambda _: picture.find_elements(By.CSS_SELECTOR, "canvas, svg"))
        assert drawn
        assert picture.get_attribute("data-drawn") is not None
        series = browser.execute_script(
            "return JSON.parse(document.getElementById('data').textContent).charts[arguments[0]]",
            picture.get_attribute("data-chart"),
        )
        assert series["datasets"]

    def test_what_a_link_names_and_is_not_there_shows_all(self, browser: Remote) -> None:
        opened(browser, "#vpn=nonesuch&load=nonesuch")
        assert len(visible(browser, "section.load")) == 1
        assert len({each.get_attribute("data-vpn") for each in visible(browser, ".matrix thead th[data-vpn]")}) > 3


class TestField:
    def test_it_opens_samples_proof_and_readings(self, browser: Remote) -> None:
        opened(browser)
        visible(browser, FIELD)[0].click()
        dialog = browser.find_element(By.ID, "cell")
        for words in ("outcome", "Readings", "cpu_system (server), s", "Proof of the data path", '"suite"'):
            assert words in dialog.text
        kept = fragment(browser)
        title = dialog.find_element(By.TAG_NAME, "h2").text
        browser.switch_to.active_element.send_keys(Keys.ESCAPE)
        WebDriverWait(browser, 30).until(lambda _: not dialog.is_displayed())
        assert "cell=" not in fragment(browser)
        opened(browser, f"#{kept}")
        assert browser.find_element(By.CSS_SELECTOR, "#cell h2").text == title

    def test_by_keyboard(self, browser: Remote) -> None:
        opened(browser)
        field = visible(browser, FIELD)[0]
        browser.execute_script("arguments[0].focus()", field)
        field.send_keys(Keys.ENTER)
        assert browser.find_element(By.ID, "cell").is_displayed()


class TestPlaces:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_light_and_dark(self, browser: Remote, scheme: str) -> None:
        command(browser, "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        opened(browser)
        ink, paper = (
            browser.find_element(By.TAG_NAME, "body").value_of_css_property(name)
            for name in ("color", "background-color")
        )
        light = [sum(int(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]) for color in (ink, paper)]
        assert (light[0] < light[1]) == (scheme == "light")
        assert abs(light[0] - light[1]) > 400

    def test_a_phone_needs_no_scrolling_sideways_but_in_tables(self, browser: Remote) -> None:
        command(browser, "Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
        opened(browser)
        widths = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert widths == [360, 360]

    def test_without_a_script_tables_and_a_picture_remain(self, browser: Remote) -> None:
        command(browser, "Emulation.setScriptExecutionDisabled", value=True)
        opened(browser)
        assert len(visible(browser, "section.load")) >= 2
        assert not visible(browser, "#filters")
        assert visible(browser, "noscript img, #pictures img")
