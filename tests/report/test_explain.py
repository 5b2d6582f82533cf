"""Derivations: every theorem has one, in text and in LaTeX; no step is printed that the calculus does not confirm."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache

import pytest
from sympy import S, Symbol, exp, log, oo

from kltheory.calculus.divergence import Objective, forward_kl, jeffreys, reverse_kl, u
from kltheory.calculus.estimators import as_loss, in_reward, k1, k2, k3, w
from kltheory.calculus.identify import identify
from kltheory.calculus.logits import lemmas
from kltheory.calculus.moments import SCORE_SQUARE, At, E
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight, logp, sg
from kltheory.proving.claims import (
    NO_GRADIENT,
    OLD,
    POLICY,
    AgreesToOrder,
    IsDivergence,
    Lemma,
    NaturalInner,
    SameGradient,
    SameScore,
    SameValue,
    SamplerFree,
)
from kltheory.proving.moments import AlwaysSign, GradientBound, OnTwoActions, SameMoment, SignAt, TraceVariance
from kltheory.proving.scalars import Expansion, HasSign, Identity, Limit, Range
from kltheory.proving.theorem import Refuted, Statement, Theorem, collect, library
from kltheory.report import latex
from kltheory.report.derivations import functions, means
from kltheory.report.derivations import gradients as module
from kltheory.report.explain import STEPS, Step, WrongStep, explain

LIBRARY = {t.name: t for t in collect([library()])}
EACH = pytest.mark.parametrize("name", LIBRARY)

RKL, FKL = reverse_kl.objective, forward_kl.objective


@cache
def steps(name: str) -> tuple[Step, ...]:
    return tuple(explain(LIBRARY[name]))


def said(built: Statement) -> str:
    return "\n".join(s.plain() for s in explain(Theorem("t", "A statement.", lambda: built)))


# --- every theorem ----------------------------------------------------------------------------------------------------
@EACH
def test_every_theorem_is_derived(name):
    """In words, in LaTeX and in MathML: one test, since deriving is what takes the time."""
    is_told(name)
    is_latex(name)
    is_ascii(name)
    is_mathml(name)


def is_told(name: str) -> None:
    first, assumed, *rest = (s.plain() for s in steps(name))
    assert first == f"{name}. {LIBRARY[name].statement}"
    assert assumed.startswith("Assumed: ")
    assert len(rest) >= 2
    assert sum(line.startswith("Claim: ") for line in rest) == len(LIBRARY[name].claims())
    built = LIBRARY[name].build()
    assert ("What is true instead" in rest) is isinstance(built, Refuted)
    assert any(line.startswith("Counterexample, enclosed") for line in rest) is isinstance(built, Refuted)
    assert all(line and "\n" not in line for line in (first, assumed, *rest))


def unbalanced(text: str) -> list[str]:
    """What LaTeX would stumble over: the checker of the next test."""
    bare = re.sub(r"\\[\\{}$]", "", text)
    wrong = [f"{a} {b}" for a, b in ("{}", (r"\[", r"\]"), (r"\begin{", r"\end{")) if bare.count(a) != bare.count(b)]
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            wrong.append("closed before it opens")
            break
    if len(re.findall(r"\\left(?![a-z])", text)) != len(re.findall(r"\\right(?![a-z])", text)):
        wrong.append(r"\left \right")
    if bare.count("$") % 2:
        wrong.append("$")
    outside = re.sub(r"\$[^$]*\$|\\\[.*?\\\]", "", text, flags=re.DOTALL)
    return wrong + [c for c in "_^&#%" if re.search(rf"(?<!\\){re.escape(c)}", outside)]


def is_latex(name: str) -> None:
    for step in steps(name):
        assert unbalanced(step.latex()) == []


def is_ascii(name: str) -> None:
    t = LIBRARY[name]
    texts = [t.statement, *t.assumptions, *t.sources, *t.about]
    shown = [*map(latex.text, texts), *(step.latex() for step in steps(name))]
    assert {c for text in shown for c in text if not c.isascii()} == set()


def is_mathml(name: str) -> None:
    pytest.importorskip("latex2mathml", reason="latex2mathml is not installed; `make test` installs it")
    from kltheory.report.atlas.mathml import mathml

    for formula in filter(None, (step.formula() for step in steps(name))):
        root = ET.fromstring(mathml(formula))
        assert root.tag == "{http://www.w3.org/1998/Math/MathML}math"
        assert "\\" not in "".join(root.itertext())
        assert "".join(root.itertext()).strip()


CHARACTERS = [
    ("π ≠ π_ref", r"$\pi$ $\ne$ $\pi$\_ref"),
    ("ππᵀ, F⁻¹, x₂, eˣ⁵", r"$\pi$$\pi$$^T$, F$^{-}$$^1$, x$_2$, e$^x$$^5$"),
    ("Σ_i Λ Α λ ε", r"$\sum$\_i $\Lambda$ $A$ $\lambda$ $\epsilon$"),
    ("Csiszár, Łukasz", "Csisz\\'{a}r, Łukasz"),
    ("π̃ and σ̂", r"$\tilde{\pi}$ and $\hat{\sigma}$"),
    ("½ − ¼ – K", r"$\frac12$ - $\frac14$ -- K"),
]


@pytest.mark.parametrize(("sentence", "text"), CHARACTERS, ids=[s for s, _ in CHARACTERS])
def test_a_character_in_latex(sentence, text):
    """One that nobody knows is left as it is, for the test above to see."""
    assert latex.text(sentence) == text


TWINS = [
    (r"\frac{1}{2", ["{ }"]),
    ("a } b { c", ["closed before it opens"]),
    (r"\[ x", [r"\[ \]"]),
    (r"\[ \left( x \]", [r"\left \right"]),
    (r"\[ \begin{cases} x \]", [r"\begin{ \end{"]),
    ("a $x b", ["$"]),
    ("k_1", ["_"]),
    ("a & b, 5 %, x^2", ["^", "&", "%"]),
    (r"\[ k_1 \] and $x^2$, \_, \$ and \{", []),
]


@pytest.mark.parametrize(("text", "wrong"), TWINS, ids=[t for t, _ in TWINS])
def test_the_latex_checker_can_fail(text, wrong):
    assert unbalanced(text) == wrong


# --- doctored ---------------------------------------------------------------------------------------------------------
def lies(kind: type, verdict: bool):
    return lambda monkeypatch: monkeypatch.setattr(kind, "decide", lambda self: verdict)


def misidentifies(**wrong):
    def doctor(monkeypatch):
        monkeypatch.setattr(module, "identify", lambda c: replace(identify(c), **wrong))

    return doctor


def honest(monkeypatch):
    pass


GOOD = SameGradient(as_loss(k2), RKL, POLICY)
BAD = SameGradient(as_loss(k3), RKL, POLICY)

TRUE = [
    Identity(k3.expr, l - 1 + exp(-l)),
    HasSign(k3.expr, 1),
    Limit(1 - exp(-l), oo, S.One),
    Expansion(exp(l), 1 + l, 1),
    Range(exp(logp) - exp(logp - l), S(-1), S.One),
    Lemma("score", *lemmas()["score"]),
    SameMoment(E(exp(-l)), S.One),
    TraceVariance(as_loss(k1), 1 - E(exp(logp)), POLICY),
    GradientBound(Surrogate(sg(1 / (1 + exp(l))) * logp), S.One, POLICY),
    OnTwoActions(E(exp(logp)), 1 - 2 * At(exp(logp), 0) * At(exp(logp), 1)),
    SignAt(-E(l), -1, ".6 .3 .1", ".2 .5 .3"),
    AlwaysSign(E(k3.expr), 1),
]
"""True ones of the kinds above that have no row below."""

FALSE = [
    Identity(k3.expr, k2.expr),
    HasSign(l**3, 1),
    Limit(1 - exp(-l), -oo, S.One),
    Expansion(exp(l), 1 + l, 2),
    Range(exp(logp) - exp(logp - l), S(-2), S.One),
    Lemma("score", 2 * lemmas()["score"][0], lemmas()["score"][1]),
    SameMoment(E(exp(l)), S.One),
    TraceVariance(as_loss(k1), 1 + E(exp(logp)), POLICY),
    GradientBound(as_loss(k2), S.One, POLICY),
    OnTwoActions(E(exp(logp)), 1 - At(exp(logp), 0) * At(exp(logp), 1)),
    SignAt(E(l), -1, ".6 .3 .1", ".2 .5 .3"),
    AlwaysSign(E(l**3 - 1), 1),
]

DOCTORED = [
    (GOOD, lies(SameGradient, False), "the calculus does not confirm the verdict"),
    (BAD, lies(SameGradient, True), "the calculus does not confirm the verdict"),
    (GOOD, misidentifies(f=-log(u)), r"the calculus does not confirm f'\(u\) = C\(log u\)"),
    (GOOD, misidentifies(f=2 * u * log(u)), r"the calculus does not confirm f'\(u\) = C\(log u\)"),
    (
        SameGradient(as_loss(k2), Objective(exp(logp - log_weight) * l**2 / 2), OLD),
        misidentifies(objective=Objective(exp(logp - log_weight) * l**2)),
        r"the calculus does not confirm C = \(∂F/∂logp\)/π",
    ),
    (SameScore(as_loss(k2), in_reward(k1), OLD), lies(SameScore, False), "the calculus does not confirm the verdict"),
    (SameScore(as_loss(k3), in_reward(k1), OLD), lies(SameScore, True), "the calculus does not confirm the verdict"),
    (AgreesToOrder(as_loss(k3), in_reward(k1), POLICY, 2), honest, "the calculus does not confirm the order"),
    (NaturalInner(in_reward(k1), as_loss(k3), RKL), honest, "the calculus does not confirm the covariance"),
    (Refuted(GOOD, corrected=GOOD), honest, "has no certified counterexample"),
    (Refuted(BAD, corrected=GOOD), lies(SameGradient, True), "the calculus does not confirm the verdict"),
    (Refuted(HasSign(l, 1), corrected=GOOD), lies(HasSign, True), "the calculus does not confirm the sign"),
    *((claim, lies(type(claim), False), "the calculus does not confirm") for claim in TRUE),
    *((claim, lies(type(claim), True), "the calculus does not confirm") for claim in FALSE),
]


@pytest.mark.parametrize(("built", "doctor", "message"), DOCTORED, ids=range(len(DOCTORED)))
def test_a_doctored_claim_is_a_wrong_step(built, doctor, message, monkeypatch):
    doctor(monkeypatch)
    with pytest.raises(WrongStep, match=message):
        said(built)


UNDOCTORED = [
    GOOD,
    SameGradient(as_loss(k2), Objective(exp(logp - log_weight) * l**2 / 2), OLD),
    SameScore(as_loss(k2), in_reward(k1), OLD),
    AgreesToOrder(as_loss(k3), in_reward(k1), POLICY, 1),
    NaturalInner(in_reward(k1), as_loss(k3), jeffreys.objective),
    Refuted(BAD, corrected=SameGradient(as_loss(k3), FKL, POLICY)),
    Refuted(HasSign(l, 1), corrected=GOOD),
]


@pytest.mark.parametrize("built", UNDOCTORED, ids=[type(b).__name__ for b in UNDOCTORED])
def test_and_undoctored_it_is_none(built):
    assert said(built)


# --- what is said of a claim, and of its false twin -------------------------------------------------------------------
SENTENCES = [
    (GOOD, "The two differ by the constant -1, and E_π[∇log π] = 0: the expected gradients are equal"),
    (BAD, "The two do not differ by a constant: C = -l - exp(-l)"),
    (SameGradient(as_loss(k1), NO_GRADIENT, POLICY), "Up to a constant C is 0: there is no objective"),
    (SamplerFree(as_loss(k2, w)), "∂C/∂w = 0, so who sampled does not matter"),
    (SamplerFree(as_loss(k2)), "∂C/∂w ≠ 0: C depends on who sampled"),
    (SameValue(Objective(exp(logp) * k3.expr), RKL), "the sums are equal"),
    (SameValue(Objective(exp(logp) * k2.expr), RKL), "the sums differ somewhere"),
    (IsDivergence(as_loss(k3), POLICY), "C never decreases in l, so f is convex"),
    (IsDivergence(in_reward(k2), POLICY), "C falls somewhere, so f is not convex"),
    (Identity(k3.expr, l - 1 + exp(-l)), "it holds"),
    (Identity(k3.expr, k2.expr), "it fails"),
    (HasSign(k3.expr, 1), "it holds"),
    (HasSign(k1.expr, 1), "it fails"),
    (Identity(k3.expr, k2.expr), "so it fails: L - R = "),
    (
        HasSign(l**3 - l, 1),
        "It is negative where l < -1\nIt is positive where -1 < l < 0\nIt is negative where 0 < l < 1",
    ),
    (
        HasSign(exp(l) - 2 + l, 1, above=S.Zero),
        "It is negative where 0 < l < 0.4428544\nIt is positive where 0.4428544 < l",
    ),
    (Limit(exp(2 * l) / (1 + exp(l)), oo, oo), "L = exp(2*l)/(exp(l) + 1)\nAs l → oo the highest power of e^l above"),
    (Limit(1 - exp(-l), -oo, S.One), "the limit is -oo"),
    (Expansion(exp(l), 1 + l, 2), "The coefficient of l^2 is 1/2 on the left, 0 on the right\nThey do not all agree"),
    (Expansion(exp(l), 1 + l, 1), "The coefficient of l^1 is 1 on both sides\nThey agree up to the order: it holds"),
    (Range(exp(logp) - 2 * exp(logp - l), S(-2), S.One), "L = π - 2*π_ref"),
    (Range(exp(logp) - 2 * exp(logp - l), S(-1), S.One), "its least value is -2 and its greatest 1"),
    (Lemma("score", *lemmas()["score"]), "Both sides expand to the same sums over the vocabulary, for every V"),
    (SameMoment(E((exp(-l) - 1) ** 2), S.One), "L = E[exp(-2*l)] - 1"),
    (SameMoment(E((exp(-l) - 1) ** 2), E(exp(-2 * l)) - 1), "Used: E[1] = 1, the policy sums to 1; E[1/u] = 1, the"),
    (
        SameMoment(E(exp(-log_weight)), S.One),
        "Used: E[1/w] = 1, the old policy sums to 1\nBoth are the same polynomial",
    ),
    (SameMoment(E(l) ** 2, E(l**2)), "they differ in some setting: L - R = -E[l**2] + E[l]**2"),
    (SameMoment(E(l * SCORE_SQUARE), E(l)), "Used: ‖∇log π‖² = 1 - 2π + E[π] in logits"),
    (TraceVariance(as_loss(k1, w), S.One, OLD), "and a sample of the old policy is one of the policy over w"),
    (TraceVariance(as_loss(k1), 1 - E(exp(logp)), POLICY), "c = 1\n"),
    (GradientBound(Surrogate(sg(1 / (1 + exp(l))) * logp), S.One, POLICY), "|C| ≤ bound at every action, hence on"),
    (GradientBound(as_loss(k2), S.One, POLICY), "|C| exceeds the bound somewhere"),
    (SignAt(E(l), 1, ".6 .3 .1", ".2 .5 .3"), "In ball arithmetic it is 0.39605845"),
    (AlwaysSign(E(k3.expr), 1), "It is the mean of: c = l - 1 + exp(-l)\nwhich is nowhere negative, so neither is its"),
    (AlwaysSign(E(l**3 - 1), 1), "its enclosure has the other sign"),
    (SameGradient(Surrogate(E(l)), RKL, POLICY), "E[l] carries a gradient too"),
]


@pytest.mark.parametrize("claim", [*TRUE, *FALSE], ids=lambda c: type(c).__name__)
def test_every_kind_has_a_derivation_for_the_true_and_the_false(claim):
    assert type(claim) in STEPS
    assert len(said(claim).splitlines()) >= 4


def test_the_kinds_with_a_derivation_are_all_looked_at():
    here = {type(c) for c in (*TRUE, *FALSE, *(c for c, *_ in SENTENCES), *(c for c, *_ in DOCTORED))}
    assert {*module.STEPS, *functions.STEPS, *means.STEPS} <= here


@pytest.mark.parametrize(("claim", "sentence"), SENTENCES, ids=[s[:40] for _, s in SENTENCES])
def test_what_is_said(claim, sentence):
    assert sentence in said(claim)


# --- LaTeX ------------------------------------------------------------------------------------------------------------
FORMULAS = [
    (exp(log_weight), "w"),
    (l * exp(2 * log_weight - logp), r"\ell w^{2} e^{- \log\pi}"),
    (exp(-l), r"e^{- \ell}"),
    (log_weight, r"\log{\left(w \right)}"),
    (Symbol("beta", positive=True) * l, r"\beta \ell"),
]


@pytest.mark.parametrize(("expr", "text"), FORMULAS, ids=[t for _, t in FORMULAS])
def test_a_formula_in_latex(expr, text):
    assert latex.formula(expr) == text


def test_a_sentence_in_latex():
    assert latex.text("KL(π‖π_ref) ≤ χ²/2 & 5 %") == r"KL($\pi$$\|$$\pi$\_ref) $\le$ $\chi$$^2$/2 \& 5 \%"


def test_cells_in_latex():
    step = next(s for s in steps("abs_as_loss_eq_grad_twice_total_variation_of_on_policy") if len(s.cells) == 2)
    assert r"\begin{cases} -1 & \text{l $<$ 0} \\ 1 & \text{0 $<$ l} \end{cases}" in step.latex()
