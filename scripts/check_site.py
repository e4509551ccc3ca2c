"""Looks at every page of a built site: links and anchors must be there, and nothing may come from elsewhere.

    python scripts/check_site.py build/docs/html

Sphinx resolves the links that it knows; this sees what a browser sees: raw HTML, anchors, scripts, pictures.
Links of a reader's choice (``<a href="https://...">``) may lead out; they are not followed.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Links, anchors and parts of one page.

    Attributes
    ----------
    anchors   ids and names that a link may lead to
    links     targets of ``<a href>``
    parts     what a browser loads by itself: scripts, styles, pictures
    """

    def __init__(self, text: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.parts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = {key: value or "" for key, value in attrs}
        self.anchors |= {words[key] for key in ("id", "name") if key in words}
        if tag == "a" and "href" in words:
            self.links.append(words["href"])
        elif tag == "link" and words.get("rel") in ("stylesheet", "icon", "preload"):
            self.parts.append(words["href"])
        elif "src" in words:
            self.parts.append(words["src"])


def faults(site: Path) -> list[str]:
    """One line for each dead link, and for each thing that a page loads from elsewhere."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in sorted(pages.items()):
        name = path.relative_to(site.resolve())
        found += [f"{name}: loads {part}" for part in page.parts if urlsplit(part).netloc]
        for target in page.links + page.parts:
            link = urlsplit(target)
            if link.scheme or link.netloc:
                continue
            file = (path.parent / unquote(link.path)).resolve() if link.path else path
            if not file.is_file():
                found.append(f"{name}: no file for {target}")
            elif link.fragment and file in pages and unquote(link.fragment) not in pages[file].anchors:
                found.append(f"{name}: no anchor for {target}")
    if not pages:
        found.append(f"{site}: no page; type: bash scripts/docs.sh")
    return found


def main() -> int:
    """Exit code 1, and the faults on standard error, where there are any."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    lines = faults(Path(sys.argv[1]))
    for line in lines:
        print(f"docs: error: {line}", file=sys.stderr)
    if not lines:
        print(f"docs: every link is good, and nothing comes from elsewhere: {sys.argv[1]}/index.html")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
