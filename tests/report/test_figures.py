"""Figures by structure: what is drawn is what the calculus says, computed here a second way; files do not vary."""

import re
import xml.etree.ElementTree as ET
from functools import lru_cache

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("matplotlib", reason="Matplotlib is not installed; `make test` installs it")

from kltheory.calculus.coefficient import Coefficient
from kltheory.calculus.divergence import DIVERGENCES, reverse_kl
from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, k3
from kltheory.calculus.surrogate import Sampler
from kltheory.cli.main import cli
from kltheory.numerics.optimum import optimum
from kltheory.report.figures import coefficients, field, noise, optima
from kltheory.report.figures.classes import classes, kind
from kltheory.report.figures.kinds import KINDS
from kltheory.report.figures.style import COLOURS, DASHES, Picture
from kltheory.report.table import class_table

EACH = pytest.mark.parametrize("name", KINDS)


@lru_cache
def drawn(name: str) -> Picture:
    return KINDS[name]()


def series(picture: Picture, gid: str) -> tuple[np.ndarray, np.ndarray]:
    """What one line of a figure shows."""
    (found,) = (x for a in picture.figure.axes for x in a.lines if x.get_gid() == gid)
    return np.asarray(found.get_xdata(), dtype=float), np.asarray(found.get_ydata(), dtype=float)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What ``plot all`` writes: every figure, drawn once more."""
    folder = tmp_path_factory.mktemp("figures") / "f"
    assert call("all", "-o", str(folder)).exit_code == 0
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}


# --- all --------------------------------------------------------------------------------------------------------------
@EACH
def test_every_figure_says_what_it_is(name):
    picture = drawn(name)
    assert picture.name == name
    assert picture.title
    assert picture.caption.endswith(".")
    words = [t.get_text() for t in picture.figure.findobj() if hasattr(t, "get_text")]
    assert any(words)
    for axis in picture.figure.axes:
        if axis.axison and axis.lines:
            assert axis.get_title()


@EACH
def test_svg_is_the_same_every_time_and_its_text_is_text(name, written):
    once = drawn(name).svg()
    assert once == written[name].partition("\n")[2]
    root = ET.fromstring(once)
    assert root.tag.endswith("svg")
    assert [e for e in root.iter() if e.tag.endswith("text")]
    assert not re.search(r"(href|src)=\"(?!#)", once)


def test_two_figures_differ():
    assert drawn("drift").svg() != drawn("variance").svg()


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_series_are_told_apart_without_colour():
    assert len({str(d) for d in DASHES[:6]}) == 6
    pairs = {(str(d), round(luminance(c), 1)) for d, c in zip(DASHES, COLOURS, strict=True)}
    assert len(pairs) == len(DASHES)


# --- coefficients -----------------------------------------------------------------------------------------------------
EXPECTED = {
    ("as a loss", 0): lambda l: 0 * l,
    ("as a loss", 1): lambda l: l,
    ("as a loss", 2): lambda l: 1 - np.exp(-l),
    ("in the reward", 0): lambda l: l,
    ("in the reward", 1): lambda l: l**2 / 2,
    ("in the reward", 2): lambda l: np.exp(-l) - 1 + l,
}


@pytest.mark.parametrize(("words", "n"), EXPECTED)
def test_coefficient_curves_are_the_derivatives(words, n):
    (axis,) = (a for a in drawn("coefficient").figure.axes if a.get_title() == words)
    (curve,) = (x for x in axis.lines if x.get_gid() == f"curve-{n}")
    l = np.asarray(curve.get_xdata())
    assert np.abs(curve.get_ydata() - EXPECTED[words, n](l)).max() < 1e-8


def test_legends_name_what_is_descended():
    shown = [t.get_text() for t in drawn("coefficient").figure.axes[0].get_legend().get_texts()]
    assert shown[:3] == ["k1: nothing", "k2: KL(π‖π_ref)", "k3: KL(π_ref‖π)"]
    assert shown[3].endswith("no f-divergence")


def test_dead_zones_begin_where_the_cap_is_reached():
    zones = coefficients.dead_zones(as_loss(k3).coefficient(Sampler.POLICY))
    assert zones == []
    picture = coefficients.coefficients(["min(exp(-l) - 1 + l, 2)"])
    axis = picture.figure.axes[0]
    spans = sorted(p.get_x() + (p.get_width() if p.get_x() < 0 else 0) for p in axis.patches)
    for edge in spans:
        assert abs(np.exp(-edge) - 1 + edge - 2) < 1e-9
    assert len(spans) == 2


# --- the field --------------------------------------------------------------------------------------------------------
Q = np.array(field.REFERENCE)
NAMED = dict(field.FIELDS)


def test_pairs_of_fields_are_one():
    policy = field._lattice(6)
    same = [("∇KL(π‖π_ref)", "k2 as a loss"), ("∇KL(π‖π_ref)", "k1 in the reward"), ("∇KL(π_ref‖π)", "k3 as a loss")]
    for a, b in same:
        gap = field.velocity(NAMED[a], policy, Q) - field.velocity(NAMED[b], policy, Q)
        assert np.abs(gap).max() < 1e-14
    apart = field.velocity(NAMED["∇KL(π‖π_ref)"], policy, Q) - field.velocity(NAMED["k3 as a loss"], policy, Q)
    assert np.abs(apart).max() > 1e-2
    assert np.abs(field.velocity(NAMED["k1 as a loss"], policy, Q)).max() < 1e-15


def test_the_field_is_the_closed_form():
    """Minus π_j (C_j - Σ π C) in logits, then the softmax's own derivative."""
    policy = np.array([[0.2, 0.5, 0.3]])
    c = np.log(policy[0] / Q)
    moved = -policy[0] * (c - policy[0] @ c)
    expected = policy[0] * (moved - policy[0] @ moved)
    assert np.abs(field.velocity(NAMED["∇KL(π‖π_ref)"], policy, Q)[0] - expected).max() < 1e-15


def test_divergences_rest_at_the_reference_alone():
    for name in ("∇KL(π‖π_ref)", "k3 as a loss"):
        ((point, attracts),) = field.rests(NAMED[name], Q)
        assert attracts
        assert np.abs(point - Q).max() < 1e-7


def test_k2_in_the_reward_rests_elsewhere_too():
    """Where l² is the same at every action: l = ±a."""
    found = [p for p, _ in field.rests(NAMED["k2 in the reward"], Q) if np.abs(p - Q).max() > 1e-3]
    assert found
    for p in found:
        assert np.ptp(np.log(p / Q) ** 2) < 1e-6


def test_paths_of_a_divergence_end_at_the_reference_and_those_of_k3_in_the_reward_do_not():
    starts = np.array(field.STARTS)
    assert np.abs(field.paths(NAMED["∇KL(π‖π_ref)"], starts, Q)[-1] - Q).max() < 1e-3
    assert np.abs(field.paths(NAMED["k3 in the reward"], starts, Q)[-1] - Q).max() > 0.3


def test_a_reference_over_four_actions_is_refused():
    with pytest.raises(ValueError, match="three positive probabilities"):
        field.field([0.1, 0.2, 0.3, 0.4])


# --- noise, drift, optima ---------------------------------------------------------------------------------------------
def test_bias_and_noise_are_the_sums_over_the_vocabulary():
    rows = noise.on_path(noise.POLICY, noise.REFERENCE, np.linspace(0.02, noise.FARTHEST, noise.POINTS))
    p, l = np.exp(rows.logp), rows.log_ratio
    kl = (p * l).sum(-1)
    for n, value in enumerate((l, l**2 / 2, np.exp(-l) - 1 + l)):
        mean = (p * value).sum(-1)
        std = np.sqrt((p * (value - mean[:, None]) ** 2).sum(-1))
        x, bias = series(drawn("variance"), f"bias-{n}")
        assert np.abs(x - kl).max() < 1e-12
        assert np.abs(bias - (mean - kl) / kl).max() < 1e-9
        assert np.abs(series(drawn("variance"), f"std-{n}")[1] - std / kl).max() < 1e-8


def test_gradient_noise_is_that_of_the_scores():
    rows = noise.on_path(noise.POLICY, noise.REFERENCE, np.array([0.3, 1.0]))
    p, l = np.exp(rows.logp), rows.log_ratio
    score = np.eye(p.shape[1]) - p[:, None, :]
    for s, factor in ((as_loss(k3), 1 - np.exp(-l)), (in_reward(k3), np.exp(-l) - 1 + l), (as_loss(k2), l)):
        each = factor[:, :, None] * score
        mean = (p[:, :, None] * each).sum(1)
        goal = (p[:, :, None] * l[:, :, None] * score).sum(1)
        spread = (p * (each**2).sum(-1)).sum(1) - (mean**2).sum(-1)
        bias, std = noise.gradient_noise(s, rows)
        assert np.abs(bias - np.linalg.norm(mean - goal, axis=-1)).max() < 1e-12
        assert np.abs(std - np.sqrt(spread)).max() < 1e-12


def test_a_detached_weight_does_not_drift_and_none_does():
    for n, drifts in ((0, True), (1, False), (3, True), (4, False)):
        error = series(drawn("drift"), f"error-{n}")[1]
        assert error[0] < 1e-12
        assert bool(error[-1] > 0.5) is drifts
    assert series(drawn("drift"), "error-5")[1][0] > 0.1


def test_optima_are_those_that_are_solved_for_one_by_one():
    a, q = np.array(optima.REWARD), np.array(optima.REFERENCE)
    for n, d in enumerate(DIVERGENCES):
        beta, best = series(drawn("optimum"), f"best-{n}")
        at = 60
        one = optimum(d.coefficient, d, a, q, float(beta[at]))
        assert abs(best[at] - one.policy[0]) < 1e-9
        assert abs(series(drawn("optimum"), f"entropy-{n}")[1][at] - one.entropy) < 1e-9
    (first,) = (n for n, d in enumerate(DIVERGENCES) if d is reverse_kl)
    beta, best = series(drawn("optimum"), f"best-{first}")
    tilted = q * np.exp(a / beta[:, None])
    assert np.abs(best - tilted[:, 0] / tilted.sum(-1)).max() < 1e-9


# --- the table --------------------------------------------------------------------------------------------------------
def test_every_cell_is_coloured_by_what_the_class_table_says():
    patches = {p.get_gid(): p for p in classes().figure.axes[0].patches}
    rows = list(class_table((k1, k2, k3)))
    assert len(patches) == len(rows) == 30
    for r in rows:
        patch = patches[f"{r.estimator}-{r.placement}-{r.weight}-{r.sampler.value}"]
        assert (patch.get_hatch() or "") == {"reverse_kl": "", "zero": "", "forward_kl": "///", "other": "xxx"}[kind(r)]
    k3_loss = next(r for r in rows if (r.estimator, r.placement, r.weight) == ("k3", "loss", "none"))
    assert kind(k3_loss) == "forward_kl"


def test_a_constant_coefficient_has_no_dead_zone():
    assert coefficients.dead_zones(Coefficient.of(0)) == []


# --- the command ------------------------------------------------------------------------------------------------------
def call(*arguments: str):
    return CliRunner().invoke(cli, ["plot", *arguments])


def test_a_figure_is_written_in_the_format_of_its_suffix(tmp_path):
    for suffix, head in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        path = tmp_path / f"f.{suffix}"
        assert call("coefficient", "l**2/2", "-o", str(path)).exit_code == 0
        assert path.read_bytes().startswith(head)


def test_a_constant_has_the_value_it_is_given(tmp_path):
    drawn = [
        call("coefficient", *formula, "-o", str(tmp_path / f"{n}.svg"))
        for n, formula in enumerate(
            [["min(k3, 2)"], ["min(k3, c)", "--param", "c=2"], ["min(k3, c)", "--param", "c=3"]]
        )
    ]
    assert [d.exit_code for d in drawn] == [0, 0, 0]
    assert drawn[1].output.endswith("\nk3 is l - 1 + exp(-l)\nc is 2\n")
    curves = [
        re.findall(r'id="coefficient-curve-0">.*?d="(.*?)"', (tmp_path / f"{n}.svg").read_text(), re.DOTALL)
        for n in range(3)
    ]
    assert len(curves[0]) == 2
    assert curves[0] == curves[1] != curves[2]


def test_all_are_written_into_a_folder(written):
    assert set(written) == set(KINDS)


REFUSED = [
    (["table", "-o", "f.gif"], 2, "ends in .svg, .png, .pdf"),
    (["table", "l"], 2, "takes no formula"),
    (["table", "--policy", ".5 .5"], 2, "takes no --policy"),
    (["field", "--reference", ".5 .6"], 2, "sum"),
    (["field", "--reference", ".5 .5"], 2, "three positive"),
    (["optimum", "--reward", "1 x"], 2, "--reward '1 x': write numbers"),
    (["optimum", "--reward", "1 nan 0 0"], 2, "write numbers"),
    (["coefficient", "l +"], 1, "not a formula"),
    (["coefficient", "A*l"], 1, "depends on A too"),
    (["coefficient", "logp*l"], 1, "depends on logp too"),
    (["coefficient", "min(k3, c)"], 1, "c has no number here; give it one, as in --param c=0.1"),
    (["table", "--param", "c=1"], 2, "--param c: no formula has that name"),
    (["table", "-o", "no/such/folder/f.svg"], 1, "cannot write"),
    (["all", "--policy", ".5 .5"], 2, "name one kind"),
]


@pytest.mark.parametrize(("arguments", "status", "words"), REFUSED, ids=[" ".join(a) for a, _, _ in REFUSED])
def test_what_cannot_be_drawn_is_refused_with_a_reason(arguments, status, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = call(*arguments)
    assert shown.exit_code == status
    assert words in shown.output
    assert "Traceback" not in shown.output
