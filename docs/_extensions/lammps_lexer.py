"""Colours of LAMMPS inputs: comments, strings, variables, numbers, and the command at the head of a line."""

from __future__ import annotations

from typing import Any

from pygments.lexer import RegexLexer, bygroups
from pygments.token import Comment, Keyword, Name, Number, String, Text
from sphinx.application import Sphinx


class LAMMPSLexer(RegexLexer):
    """A line is a command and its words; ``&`` at its end goes on with the next."""

    name = "LAMMPS"
    aliases = ("lammps",)
    tokens = {  # noqa: RUF012 (pygments' own way)
        "root": [
            (r"\s+", Text),
            (r"#.*", Comment),
            (r"[a-z_][\w/]*", Keyword, "words"),
            (r"\S+", Text, "words"),
        ],
        "words": [
            (r"&[ \t]*\n", Text),
            (r"\n", Text, "#pop"),
            (r"#.*", Comment),
            (r'"[^"\n]*"|\'[^\'\n]*\'', String),
            (r"\$\{\w+\}|\$\w|\b[vcf]_\w+", Name.Variable),
            (r"(?<![\w.])([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)(?![\w.])", bygroups(Number)),
            (r"[ \t]+", Text),
            (r"[^\s#&$\"']+|.", Text),
        ],
    }


def setup(app: Sphinx) -> dict[str, Any]:
    """Make ``lammps`` known to code blocks."""
    app.add_lexer("lammps", LAMMPSLexer)
    return {"parallel_read_safe": True, "version": "1"}
