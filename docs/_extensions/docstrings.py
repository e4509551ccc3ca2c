r"""How docstrings of this package are read.

- Attributes and parameters may stand in a table, a row ``eps    (E,) float64, eV, energy of the edge`` for
  each, or with a colon between; numpydoc's own form has the text on a line below the name. The first is
  turned into the second, and napoleon reads it. What stands there is text: in a numpydoc type every word
  would be looked up.
- Bars are absolute values, as in \|A\|, and no substitutions of reStructuredText.
- Docstrings of constants and properties are plain text. Napoleon would take words before a colon for a type.
- Types such as ``bytes`` are Python's own, not attributes of ours that have their name.
- `Name` or `a_name` is a class or function of ours wherever it is defined, if only one has that name.
"""

from __future__ import annotations

import builtins
import re
import sys
from typing import Any, TypeVar

from docutils.nodes import Element, document
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config, NumpyDocstring
from sphinx.util.nodes import make_refnode

SECTIONS = {"Attributes", "Parameters", "Returns", "Raises"}
ROW = re.compile(r"(?P<names>[\w*]+(?:, [\w*]+)*)(?:\s{2,}| : )(?P<text>\S.*)")
BARS = re.compile(r"``.*?``|\|(?=\S)([^|]*\S)\|")
PLAIN = {"attribute", "data", "property"}
CONFIG = Config(napoleon_use_rtype=False)


def numpydoc_form(lines: list[str]) -> list[str]:
    """The lines of a docstring; each row ``name    text`` of a section becomes ``name``, then its text."""
    out: list[str] = []
    in_section = False
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if re.fullmatch(r"-{3,}", below):
            in_section = line in SECTIONS
        row = ROW.fullmatch(line) if in_section else None
        if row:
            out += [row["names"], "    " + row["text"]]
        elif in_section and line.startswith(" ") and line.strip():
            out.append("    " + line.strip())  # goes on with the row above, however deep it is indented
        else:
            out.append(line)
    return out


def with_bars(lines: list[str]) -> list[str]:
    """The lines with the bars of absolute values escaped, but for those in literal text."""
    out: list[str] = []
    literal: int | None = None  # indentation of the line that has begun a literal block
    for line in lines:
        indentation = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indentation <= literal:
            literal = None
        if literal is None:
            out.append(BARS.sub(lambda found: rf"\|{found[1]}\|" if found[1] else found[0], line))
            literal = indentation if line.endswith("::") else None
        else:
            out.append(line)
    return out


def _process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = with_bars(lines)
    if what not in PLAIN:
        lines[:] = NumpyDocstring(numpydoc_form(lines), CONFIG, app, what, name, obj, options).lines()


def _unlink_builtins(app: Sphinx, doctree: document) -> None:
    for node in list(doctree.findall(pending_xref)):
        if node.get("refdomain") == "py" and node["reftarget"] in vars(builtins):
            node.replace_self(node.children)


def _find(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element) -> Element | None:
    target = node.get("reftarget", "")
    module, _, last = target.rpartition(".")
    if isinstance(getattr(sys.modules.get(module), last, None), TypeVar):
        return text
    if node.get("refdomain") != "py" or not re.fullmatch(r"[A-Z]\w+|[a-z]+_\w+", target):
        return None
    objects = env.domains["py"].objects
    found = [
        name
        for name, entry in objects.items()
        if name.endswith("." + target) and entry.objtype in ("class", "exception", "function")
    ]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, [text], found[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect all of it."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("doctree-read", _unlink_builtins)
    app.connect("missing-reference", _find)
    return {"parallel_read_safe": True, "version": "1"}
