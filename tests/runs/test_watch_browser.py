"""The page that follows a run, in a headless Chromium: no error, tables and pictures are there, and it reads
itself again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from browser import start_browser
from e3d_lmp.runs import watch
from e3d_lmp.runs.watch import serve, write_watch_page
from job_runs import e3d, write_input

CAMPAIGN = """\
input: in.hot
variables: {temp: [300, 600], seed: [1, 2], steps: 100}
replicas: [seed]
ranks_per_node: 1
at_once: 2
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory, model_files) -> Path:
    here = tmp_path_factory.mktemp("watch")
    write_input(here, model_files("morse-cho"))
    (here / "campaign.yaml").write_text(CAMPAIGN)
    done = e3d("campaign", "run", "campaign.yaml", "-o", "c", folder=here)
    assert done.returncode == 0, done.stdout + done.stderr
    return here / "c"


def no_errors(browser: Any) -> None:
    entries = [entry for entry in browser.get_log("browser") if "favicon" not in entry["message"]]
    assert not entries, entries


def check_pictures(browser: Any) -> int:
    """All pictures have arrived; returns how many there are."""
    pictures = browser.find_elements(By.TAG_NAME, "img")
    sizes = [browser.execute_script("return arguments[0].naturalWidth", one) for one in pictures]
    assert all(size > 100 for size in sizes), sizes
    return len(pictures)


def test_page_of_a_campaign(browser: Any, campaign: Path) -> None:
    browser.get(write_watch_page(campaign).as_uri())
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "4 members: 4 finished" in text and "temp=600_seed=2" in text and "nats" in text and "±" in text
    rows = browser.find_elements(By.CSS_SELECTOR, "#members tbody tr")
    assert len(rows) == 4 and all("step 100 of 100" in row.text for row in rows)
    assert check_pictures(browser) == 1
    no_errors(browser)


def test_page_of_a_member_reads_itself_again(
    browser: Any, campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The static page: written again beside an open browser, it shows the new state by itself."""
    monkeypatch.setattr(watch, "REFRESH", 1)
    member = campaign / "members" / "temp=300_seed=1"
    browser.get(write_watch_page(member).as_uri())
    assert check_pictures(browser) >= 4
    assert "finished: step 100 of 100" in browser.find_element(By.CLASS_NAME, "summary").text
    (member / "finished").rename(member / "not-finished")
    write_watch_page(member)
    WebDriverWait(browser, 20).until(
        lambda driver: driver.find_element(By.CLASS_NAME, "summary").text.startswith("stopped · step 100")
    )
    (member / "not-finished").rename(member / "finished")
    no_errors(browser)


def test_live_page(browser: Any, campaign: Path) -> None:
    """The served page is written anew for each reading."""
    with serve(campaign, 0, 0.0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        browser.get(address)
        assert "4 members: 4 finished" in browser.find_element(By.CLASS_NAME, "summary").text
        member = campaign / "members" / "temp=600_seed=2"
        (member / "finished").rename(member / "kept")
        (member / "failed").write_text("job 1: ERROR: Lost atoms <b>\n")
        browser.get(address)
        assert "1 failed, 3 finished" in browser.find_element(By.CLASS_NAME, "summary").text
        assert "ERROR: Lost atoms <b>" in browser.find_element(By.CLASS_NAME, "warnings").text, (
            "shown as text"
        )
        (member / "kept").rename(member / "finished")
        (member / "failed").unlink()
        server.shutdown()
    no_errors(browser)
