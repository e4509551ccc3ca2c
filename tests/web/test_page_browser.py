"""Pages in a headless Chromium: no error, a click shows the right bond and its structure. Pictures go to
out/page/.

Needs Chromium and its driver (sudo apt-get install chromium chromium-driver) and the package selenium.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from browser import start_browser, webdriver
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.pairs import Pairing
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.web.page import PageOptions, write_page
from page_stores import ELEMENTS, write_liquid, write_molecules, write_pairs

PICTURES = Path(__file__).resolve().parents[2] / "out" / "page"
PER_BIN = 3


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


class Page:
    """An open page, its data, and the pairs of its store."""

    def __init__(self, driver: Any, path: Path):
        self.driver = driver
        cutoff = parse_cutoff("covalent")
        with StoreReader(path) as store:
            self.data = write_page(store, PageOptions(cutoff, per_bin=PER_BIN), path.with_suffix(".html"))
            pairing = Pairing(ELEMENTS, cutoff.matrix(ELEMENTS))
            named = store.values("name") if store.has("name") else [f"step {step}" for step in store.steps]
            self.pairs = dict(zip(named, map(pairing.pair, store), strict=True))
        driver.get(path.with_suffix(".html").as_uri())
        self.wait(lambda: self.text("bond-name"))

    def wait(self, what: Callable[[], object]) -> None:
        WebDriverWait(self.driver, 20).until(lambda _: what())

    def at(self, name: str) -> Any:
        return self.driver.find_element(By.ID, name)

    def text(self, name: str) -> str:
        return self.at(name).text

    def choose(self, name: str, value: str) -> None:
        Select(self.at(name)).select_by_value(value)

    def choose_label(self, name: str) -> int:
        number = [label["name"] for label in self.data["labels"]].index(name)
        self.choose("pair", str(number))
        return number

    def click_map(self, D: float, A: float) -> None:
        axes = json.loads(self.at("map").get_attribute("data-axes"))
        x, y = (
            axes[low] + (value - axes[name][0]) / (axes[name][1] - axes[name][0]) * (axes[high] - axes[low])
            for name, value, low, high in (("D", D, "left", "right"), ("A", A, "bottom", "top"))
        )
        size = self.at("map").size
        actions = webdriver.ActionChains(self.driver)
        offset = (round(x - size["width"] / 2), round(y - size["height"] / 2))
        actions.move_to_element_with_offset(self.at("map"), *offset).click().perform()

    def shown_bond(self) -> dict[str, float]:
        return {
            name: float(self.at(f"fact-{name}").get_attribute("data-value"))
            for name in ("D", "A", "e12", "e21", "length")
        }

    def check_shown(self) -> None:
        """The bond shown is one of the store: same atoms, frame, and exactly the same numbers."""
        shown, frame = self.shown_bond(), self.pairs[self.text("fact-source")]
        row = np.flatnonzero((frame.e12 == shown["e12"]) & (frame.e21 == shown["e21"]))
        assert row.size == 1, "no such bond in the store"
        k = int(row[0])
        assert (shown["D"], shown["A"]) == (frame.D[k], frame.A[k])
        assert shown["length"] == pytest.approx(np.linalg.norm(frame.vec[k]), abs=1e-6)
        one, two = frame.labels[frame.label[k]].split("-")
        assert self.text("bond-name") == f"{one}{frame.i[k]} – {two}{frame.j[k]}"
        assert self.text("fact-D") == f"{frame.D[k]:.4f} eV".replace("-", "−")
        if self.at("view-problem").is_displayed():
            return
        # The atoms drawn: those of the bond, on a horizontal line.
        first, second = json.loads(self.at("view").get_attribute("data-ends"))
        assert (first[0], second[0]) == (one, two)
        np.testing.assert_allclose(np.subtract(second[1:], first[1:]), [shown["length"], 0.0, 0.0], atol=1e-4)

    def view(self) -> np.ndarray:
        """(Y, X, 3) uint8 pixels of the structure."""
        from PIL import Image

        return np.asarray(Image.open(io.BytesIO(self.at("view").screenshot_as_png)).convert("RGB"))

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(PICTURES / f"{name}.png"))

    def check_quiet(self) -> None:
        assert self.driver.get_log("browser") == []


def marked_pixels(pixels: np.ndarray) -> np.ndarray:
    """(K, 2) places, from the middle, of pixels in the colour of the chosen bond, in any light."""
    red, green, blue = np.moveaxis(pixels.astype(int), 2, 0)
    near = (red - green > 60) & (blue - green > 15) & (red > blue)
    return np.argwhere(near) - np.array(near.shape) / 2


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {
        "molecules": write_molecules(folder / "molecules.h5"),
        "liquid": write_liquid(folder / "liquid.h5"),
    }


@pytest.mark.parametrize("name", ["molecules", "liquid"])
def test_a_click_shows_the_bond_and_its_structure(browser: Any, stores: dict[str, Path], name: str) -> None:
    page = Page(browser, stores[name])
    page.check_shown()
    number = page.choose_label("C-H")
    label = page.data["labels"][number]
    before = page.view()
    rows = [label["bins"]["w"].index(least) for least in (max(label["bins"]["w"]), min(label["bins"]["w"]))]
    for k in rows:
        d, a, weight = (label["bins"][column][k] for column in "daw")
        page.click_map((d + 0.5) * 0.1, (a + 0.5) * 0.1)
        page.check_shown()
        shown = page.shown_bond()
        assert (math.floor(shown["D"] / 0.1), math.floor(shown["A"] / 0.1)) == (d, a)
        assert page.text("list-title").startswith(f"{weight:g} bond")
        assert len(page.at("list").find_elements(By.TAG_NAME, "button")) == min(weight, PER_BIN)
    # The bond is to be seen near the middle, and the view has changed.
    after = page.view()
    page.picture(name)
    assert not np.array_equal(before, after)
    assert page.text("view-scale").startswith("sticks: D")
    # Atoms are grey, white and red: what is green are sticks, of which the chosen bond is a small part.
    red, green, _ = np.moveaxis(after.astype(int), 2, 0)
    greens = np.count_nonzero((green - red > 25)[:-40])
    assert greens > 400
    marks = marked_pixels(after)
    assert len(marks) > 40 and np.abs(np.median(marks, axis=0)).max() < 80
    page.check_quiet()


def test_next_previous_and_list(browser: Any, stores: dict[str, Path]) -> None:
    page = Page(browser, stores["molecules"])
    count = int(page.text("place").split()[-1])
    names = [button.text for button in page.at("list").find_elements(By.TAG_NAME, "button")]
    assert len(names) == count > 2
    seen = []
    for k in range(count):
        assert page.text("place") == f"bond {k + 1} of {count}"
        page.check_shown()
        seen.append((page.text("bond-name"), page.text("fact-source"), page.view().tobytes()))
        page.at("next").click()
    assert page.text("place") == f"bond 1 of {count}"
    assert len({one[:2] for one in seen}) == count
    assert len({one[2] for one in seen}) == count, "two bonds have the same picture"
    page.at("previous").click()
    assert (page.text("bond-name"), page.text("fact-source")) == seen[-1][:2]
    page.at("list").find_elements(By.TAG_NAME, "button")[1].click()
    assert (page.text("bond-name"), page.text("fact-source")) == seen[1][:2]
    current = page.at("list").find_elements(By.CSS_SELECTOR, "[aria-current]")
    assert [one.text for one in current] == [names[1]]
    page.check_quiet()


def test_like_elements_are_there_at_both_signs_of_A(browser: Any, stores: dict[str, Path]) -> None:
    page = Page(browser, stores["liquid"])
    label = page.data["labels"][page.choose_label("C-C")]
    assert "½ at +A" in page.text("pair-facts")
    k = next(k for k, a in enumerate(label["bins"]["a"]) if a <= -2)
    d, a = label["bins"]["d"][k], label["bins"]["a"][k]
    names = []
    for side in (a, -1 - a):
        page.click_map((d + 0.5) * 0.1, (side + 0.5) * 0.1)
        page.check_shown()
        names.append([button.text for button in page.at("list").find_elements(By.TAG_NAME, "button")])
    assert names[0] == names[1] and names[0]


def test_points_and_islands(browser: Any, stores: dict[str, Path]) -> None:
    page = Page(browser, stores["molecules"])
    number = page.choose_label("C-H")
    page.choose("draw", "points")
    bonds = page.data["bonds"]
    first, end = page.data["labels"][number]["bonds"]
    D, A = (np.array(bonds["e12"][first:end]) + s * np.array(bonds["e21"][first:end]) for s in (1.0, -1.0))
    far = np.hypot(D[:, None] - D, A[:, None] - A) + 9.0 * np.eye(D.size)
    k = int(np.argmax(far.min(axis=1)))  # the loneliest one
    page.click_map(D[k], A[k])
    page.check_shown()
    assert (page.shown_bond()["D"], page.shown_bond()["A"]) == (D[k], A[k])
    page.picture("points")

    page.choose("draw", "bins")
    page.choose_label("C-C")
    page.choose("spread", "island")
    assert page.text("list-title").endswith(" bins")
    page.check_shown()
    page.check_quiet()


def write_two_islands(path: Path) -> Path:
    """C-H bonds around D = -4 and -6 eV, and a path of rare bins between; one lonely bond at -8 eV."""
    rng = np.random.default_rng(1)
    D = np.concatenate(
        [*(rng.normal(middle, 0.15, 400) for middle in (-4.0, -6.0)), np.arange(-5.95, -4.0, 0.1), [-8.05]]
    )
    return write_pairs(path, D, np.concatenate([rng.normal(0.05, 0.1, 800), np.full(D.size - 800, 0.05)]))


def test_rare_bins_join_no_islands(browser: Any, tmp_path: Path) -> None:
    page = Page(browser, write_two_islands(tmp_path / "islands.h5"))
    label = page.data["labels"][page.choose_label("C-H")]
    page.choose("spread", "island")
    bins = np.array([label["bins"][name] for name in "daw"])
    assert set(range(-60, -39)) <= set(bins[0].astype(int)), "the bins from one island to the other touch"
    counts = []
    for side in (bins[0] < -50, (bins[0] >= -50)):
        row = np.flatnonzero(side)[np.argmax(bins[2][side])]
        page.click_map((bins[0][row] + 0.5) * 0.1, (bins[1][row] + 0.5) * 0.1)
        counts.append(int(page.text("list-title").split()[0]))
        page.check_shown()
        assert math.floor(page.shown_bond()["D"] / 0.1) == bins[0][row], (
            "a bond of the clicked bin comes first"
        )
    assert sum(counts) == bins[2].sum() - 1, "all bonds but the lonely one belong to one of the two islands"
    assert min(counts) > 390
    page.picture("islands")
    page.check_quiet()


def test_keyboard(browser: Any, stores: dict[str, Path]) -> None:
    page = Page(browser, stores["molecules"])
    label = page.data["labels"][page.choose_label("C-H")]
    start = page.shown_bond()
    page.at("map").send_keys(Keys.ARROW_RIGHT)
    page.check_shown()
    moved = page.shown_bond()
    assert math.floor(moved["D"] / 0.1) > math.floor(start["D"] / 0.1)
    for _ in range(len(set(label["bins"]["d"]))):
        page.at("map").send_keys(Keys.ARROW_LEFT)
        if math.floor(page.shown_bond()["D"] / 0.1) == min(label["bins"]["d"]):
            break
    assert math.floor(page.shown_bond()["D"] / 0.1) == min(label["bins"]["d"])
    before = page.view()
    page.at("view").send_keys(Keys.ARROW_UP)
    turned = page.view()
    page.at("view").send_keys("0")
    assert not np.array_equal(before, turned)
    assert np.abs(page.view().astype(int) - before).mean() < 1.0
    # Everything that can be operated can be reached, and has a name.
    for one in browser.find_elements(By.CSS_SELECTOR, "button, select, [tabindex]"):
        assert one.accessible_name, one.get_attribute("outerHTML")[:80]
    page.check_quiet()


def test_sticks_are_coloured_by_D(browser: Any, tmp_path: Path) -> None:
    """The strong bond is drawn in the first colours of the scale, the weak one in the last."""
    page = Page(browser, write_pairs(tmp_path / "two.h5", np.array([-8.0, -2.0]), np.array([0.0, 0.0])))
    page.choose_label("C-H")
    for D, strong in ((-8.0, True), (-2.0, False)):
        page.click_map(D + 0.05, 0.05)
        assert page.shown_bond()["D"] == D
        pixels = page.view().astype(int)
        middle = pixels[pixels.shape[0] // 2 - 60 : pixels.shape[0] // 2 + 60]
        red, green, blue = np.moveaxis(middle, 2, 0)
        yellow = ((green - blue > 80) & (red - blue > 60)).sum()  # viridis ends in yellow, begins in violet
        violet = ((blue - green > 25) & (red > green) & (red < blue + 10)).sum()
        assert (violet > 40 and yellow == 0) if strong else (yellow > 40 and violet == 0), (violet, yellow)


def test_dark_and_narrow(browser: Any, stores: dict[str, Path]) -> None:
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        page = Page(browser, stores["liquid"])
        paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert paper == "rgb(21, 24, 29)"
        assert page.view()[3, 3].max() < 60
        page.picture("dark")
        browser.set_window_size(500, 900)
        wide = browser.execute_script("return [document.body.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1]
        page.picture("narrow")
        page.check_quiet()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        browser.set_window_size(1200, 720)


def test_without_webgl_the_map_works(stores: dict[str, Path], tmp_path: Path) -> None:
    driver = start_browser(tmp_path / "profile", "--disable-3d-apis")
    try:
        page = Page(driver, stores["molecules"])
        assert page.at("view-problem").is_displayed() and "no WebGL" in page.text("view-problem")
        page.at("next").click()
        page.check_shown()
        assert page.text("place").startswith("bond 2 of")
    finally:
        driver.quit()
