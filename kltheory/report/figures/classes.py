"""The class table as a picture: estimators by placement, weight and sampler, and what each descends."""

from typing import Any, Final

from kltheory.calculus.estimators import k1, k2, k3
from kltheory.calculus.placement import WHERE, Placement
from kltheory.calculus.surrogate import Sampler
from kltheory.report.figures.style import COLOURS, Picture, panels, styled
from kltheory.report.table import Row, class_table

SHOWN: Final = (k1, k2, k3)
KINDS: Final[dict[str, tuple[str, str, str]]] = {
    "reverse_kl": (COLOURS[0], "", "KL(π‖π_ref)"),
    "forward_kl": (COLOURS[5], "///", "KL(π_ref‖π)"),
    "zero": ("#FFFFFF", "", "nothing"),
    "other": ("#BBBBBB", "xxx", "no f-divergence from π_ref"),
}
"""Name to colour, hatching and words."""
WEIGHTS: Final = {"none": "no weight", "detached": "sg(w)", "live": "w"}


def classes() -> Picture:
    """k1, k2, k3 in every placement."""
    rows = list(class_table(SHOWN))
    columns = list(dict.fromkeys(r.placed for r in rows))
    with styled():
        figure, axes = panels(1, 1, 11.0, 3.6)
        axis = axes[0, 0]
        for y, k in enumerate(SHOWN):
            for x, column in enumerate(columns):
                (row,) = (r for r in rows if r.estimator == k.name and r.placed == column)
                _cell(axis, x, len(SHOWN) - 1 - y, row)
        axis.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-0.5, len(SHOWN) - 0.5))
        axis.set_yticks(range(len(SHOWN)), [k.name for k in reversed(SHOWN)])
        axis.set_xticks(range(len(columns)), [_heading(c) for c in columns], fontsize=8)
        axis.tick_params(length=0)
        axis.xaxis.tick_top()
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
        from matplotlib.patches import Patch

        legend = [Patch(fc=fill, hatch=hatch, ec="#444444", label=words) for fill, hatch, words in KINDS.values()]
        figure.legend(handles=legend, loc="outside lower center", ncols=4)
    return Picture(
        "table",
        "What each estimator descends",
        "Estimators by placement, importance weight and sampler. Blue: the reverse KL, as intended; hatched: the "
        "forward KL; white: nothing; crossed: no f-divergence from the reference.",
        figure,
    )


def kind(row: Row) -> str:
    """The key of :data:`KINDS` for what a row descends."""
    return row.found.name if row.found.name in KINDS else "other"


def _heading(p: Placement) -> str:
    return f"{WHERE[p.where]}\n{WEIGHTS[p.weight]}\n{'on-policy' if p.who is Sampler.POLICY else 'off-policy'}"


def _cell(axis: Any, x: int, y: int, row: Row) -> None:
    from matplotlib.patches import Rectangle

    fill, hatch, _ = KINDS[kind(row)]
    gid = f"{row.estimator}-{row.placement}-{row.weight}-{row.sampler.value}"
    size = 0.94
    corner = (x - size / 2, y - size / 2)
    axis.add_patch(Rectangle(corner, size, size, fc=fill, ec="#444444", lw=0.8, hatch=hatch, gid=gid))
    words = _words(row)
    box = {"boxstyle": "round,pad=0.25", "fc": "white", "ec": "none", "alpha": 0.92}
    axis.text(x, y, words, ha="center", va="center", fontsize=8, bbox=box)


def _words(row: Row) -> str:
    found = row.found
    if found.terms is None:
        return "no name"
    return found.title.replace(" - ", "\n- ").replace(" + ", "\n+ ") if found.terms else "nothing"
