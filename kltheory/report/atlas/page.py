"""The atlas as one HTML file that needs nothing else, and as a LaTeX document."""

import re
from typing import Any, Final

from kltheory.report import latex
from kltheory.report.atlas.content import Atlas
from kltheory.report.derivations.step import cells_in_latex
from kltheory.report.table import Row
from kltheory.report.verdict import verdict

ARXIV: Final = re.compile(r"arXiv (\d{4}\.\d{4,5})|(github\.com/[\w./-]+)")


class NoTemplates(Exception):
    """Jinja2 or latex2mathml is not installed; the message says how to install them."""


def environment(**options: Any) -> Any:
    """Templates of pages. Raises NoTemplates."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise NoTemplates("pages need Jinja2: pip install 'kltheory[report]'") from None
    loader = PackageLoader("kltheory.report.atlas")
    return Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options)


def html(atlas: Atlas) -> str:
    """One page: no network, no script needed to read it, formulas in MathML, figures in SVG.

    Raises:
        NoTemplates: a package is missing.
        NotMathML: a formula cannot be written.
    """
    templates = environment(autoescape=True)
    try:
        from kltheory.report.atlas.mathml import mathml
    except ImportError:
        raise NoTemplates("the atlas needs latex2mathml: pip install 'kltheory[report]'") from None
    from markupsafe import Markup, escape

    def math(formula: str, display: str = "block") -> Markup:
        return Markup(mathml(formula, display))

    def linked(words: str) -> Markup:
        return Markup(ARXIV.sub(_link, str(escape(words))))

    templates.filters |= {"math": math, "linked": linked, "coefficient": coefficient, "verdict": verdict}
    figures = [(f, Markup(f.svg())) for f in atlas.figures]
    return str(templates.get_template("atlas.html.j2").render(atlas=atlas, figures=figures))


def tex(atlas: Atlas) -> str:
    """An appendix, complete with preamble; it needs amsmath, amssymb and hyperref. Raises NoTemplates."""
    delimiters = {"block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<"}
    delimiters |= {"variable_end_string": ">>", "comment_start_string": "<#", "comment_end_string": "#>"}
    templates = environment(autoescape=False, **delimiters)
    templates.filters |= {"text": latex.text, "coefficient": coefficient, "verdict": verdict}
    return str(templates.get_template("atlas.tex.j2").render(atlas=atlas))


def coefficient(row: Row) -> str:
    """C of a row of the class table in LaTeX."""
    return cells_in_latex(row.found.coefficient.cells)


def _link(found: re.Match[str]) -> str:
    address = f"https://arxiv.org/abs/{found[1]}" if found[1] else f"https://{found[2]}"
    return f'<a href="{address}">{found[0]}</a>'
