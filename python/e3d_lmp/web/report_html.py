"""One self-contained HTML page: sections of text, tables and pictures, with nothing from outside."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

from e3d_lmp.figures import picture_bytes
from e3d_lmp.files import write_text
from e3d_lmp.templates import fill

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = "report.html"
"""The page's template in ``assets/``; Jinja escapes all text that goes into it."""

_MIME = {"png": "image/png", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes
    ----------
    heads     of each column: its name and its unit
    rows      cells, as many as heads; columns of numbers are aligned to the right
    caption   text above it
    numeric   of each column, whether it holds numbers; worked out from the cells by default
    """

    heads: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    numeric: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.heads)
        object.__setattr__(self, "numeric", tuple(all(map(_is_number, column)) for column in columns))


@dataclass(frozen=True)
class Picture:
    """A picture within the page.

    Attributes
    ----------
    source    ``data:`` address with the whole file
    caption   text below it
    alt       what is on it, for those who cannot see it
    """

    source: str
    caption: str
    alt: str


@dataclass
class Section:
    """A section with its heading and anchor; parts come in the order notes, pictures, tables."""

    anchor: str
    title: str
    notes: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.notes or self.pictures or self.tables)


def picture(figure: Figure, caption: str, alt: str, kind: str = "svg") -> Picture:
    """A figure as a picture of the page: ``svg`` is sharp at any size, ``png`` small for many bins."""
    content = base64.b64encode(picture_bytes(figure, kind)).decode("ascii")
    return Picture(f"data:{_MIME[kind]};base64,{content}", caption, alt)


def write_page(
    path: str | os.PathLike,
    title: str,
    summary: str,
    sections: Sequence[Section],
    warnings: Sequence[str] = (),
    refresh: int | None = None,
) -> None:
    """Write the page, whole or not at all; empty sections are left out.

    Parameters
    ----------
    refresh
        Seconds after which a browser reads the page again; None: never.

    Raises
    ------
    E3DError
        If the file cannot be written.
    """
    text = resources.files("e3d_lmp").joinpath(f"web/assets/{TEMPLATE}").read_text(encoding="utf-8")
    shown = [section for section in sections if not section.is_empty]
    values = {
        "title": title,
        "summary": summary,
        "sections": shown,
        "warnings": list(warnings),
        "refresh": refresh,
    }
    write_text(path, fill(text, values, is_html=True).rstrip("\n"))


def _is_number(cell: str) -> bool:
    text = cell.replace(",", "").replace("−", "-").replace("–", "")
    if not text:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
