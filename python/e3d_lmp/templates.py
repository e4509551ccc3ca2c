"""Texts with words to be filled in, by Jinja: pages, reports, model cards."""

from __future__ import annotations

from typing import Any

from e3d_lmp.errors import E3DError


def fill(template: str, values: dict[str, Any], *, is_html: bool = False) -> str:
    """The text of a template, ``{{ word }}``, with its words filled in.

    Parameters
    ----------
    values
        By word.
    is_html
        Escape values, but for those that the template marks as safe.

    Raises
    ------
    E3DError
        The template has a word that is not among the values, or is malformed.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=is_html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.from_string(template).render(values)
    except jinja2.TemplateError as error:
        raise E3DError(f"template: {error}") from None
