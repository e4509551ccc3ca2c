"""The HTML text of a page of `e3d_lmp.web.page`: data, scripts, and a policy that forbids everything else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from typing import Any

from e3d_lmp.templates import fill
from e3d_lmp.version import __version__


def build_page(data: dict[str, Any]) -> str:
    """The HTML text of a page."""
    script = "\n".join(_asset(name) for name in ("map.js", "view.js", "page.js"))
    notice = (
        "/*!\n3Dmol.js 2.5.5, https://3dmol.org\n" + _asset("3Dmol-LICENSE.txt").replace("*/", "* /") + "*/\n"
    )
    parts = {
        "title": data["title"],
        "generator": f"e3d-lmp {__version__}",
        "style": _asset("page.css"),
        "data": json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "viewer": _inline(notice + _asset("3Dmol-min.js")),
        "script": _inline("(() => {\n'use strict';\n" + script + "})();\n"),
    }
    hashes = " ".join(f"'sha256-{_sha256(parts[name])}'" for name in ("viewer", "script"))
    parts["policy"] = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return fill(_asset("page.html"), parts, is_html=True)


def _asset(name: str) -> str:
    return resources.files("e3d_lmp").joinpath(f"web/assets/{name}").read_text(encoding="utf-8")


def _inline(script: str) -> str:
    """A script that may stand between <script> tags: nothing in it ends or nests them."""
    return re.sub(r"<(?=/script|script|!--)", r"\\x3c", script, flags=re.IGNORECASE)


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
