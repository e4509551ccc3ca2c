"""scripts/check_site.py sees dead links, dead anchors, and what a page loads from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_built_pages_are_looked_at(tmp_path: Path) -> None:
    script = str(ROOT / "scripts/check_site.py")

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, script, str(tmp_path)], capture_output=True, text=True, check=False
        )

    assert check().returncode == 1  # no page at all
    (tmp_path / "a.html").write_text(
        '<a id="x"></a><a href="#x"></a><a href="b.html#y"></a><a href="https://x.org">'
    )
    (tmp_path / "b.html").write_text('<p id="y"><img src="c.png">')
    (tmp_path / "c.png").write_text("")
    run = check()
    assert run.returncode == 0, run.stderr
    (tmp_path / "b.html").write_text(
        '<a href="a.html#z"></a><a href="d.html"></a><script src="https://x.org/a.js"></script>'
    )
    run = check()
    assert run.returncode == 1
    for fault in (
        "no anchor for a.html#z",
        "no file for d.html",
        "loads https://x.org/a.js",
        "no anchor for b.html#y",
    ):
        assert fault in run.stderr, run.stderr
