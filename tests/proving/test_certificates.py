"""The stand-alone checker of certificates: what is certified holds, and what is tampered with is rejected."""

import ast
import json
import re
import runpy
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path

import flint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds import ROWS, WITHOUT_WITNESS
from response_kinds import ROWS as RESPONSES
from sympy import Max, Min, Piecewise, Rational, S, Symbol, exp, log, pi, tan
from sympy.codegen.cfunctions import expm1

from kltheory.calculus.estimators import as_loss, k2, k3, w
from kltheory.calculus.sequence.loss import PastValue
from kltheory.calculus.surrogate import Surrogate
from kltheory.calculus.symbols import advantage as A
from kltheory.calculus.symbols import inside, logp, sg
from kltheory.calculus.symbols import log_ratio as l
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.sexpr import sexpr
from kltheory.proving.claims import NO_GRADIENT, OLD, POLICY, AgreesToOrder, SameGradient, SamplerFree
from kltheory.proving.instances import instances, parameters
from kltheory.proving.plain import plain
from kltheory.proving.precision import AccurateIn
from kltheory.proving.scalars import Expansion, HasSign
from kltheory.proving.vocabulary import (
    At,
    E,
    IsConservative,
    SameSequenceGradient,
    SameSequenceValue,
    SequenceObjective,
    ahead,
    future,
    h,
    in_sequence_reward,
    length,
    minus,
    past,
    total,
)
from kltheory.proving.witnesses import WITNESSES, find_witness

TOOL = Path(__file__).parents[2] / "tools" / "check_certificates.py"
CHECKER = runpy.run_path(str(TOOL))
check, main, KINDS = CHECKER["check"], CHECKER["main"], CHECKER["KINDS"]

n, critic = Symbol("n", integer=True, positive=True), PastValue("critic")
PIECES = Piecewise((k2.expr, (l > 0) & (w < 2)), (l, (l < -1) | (w > 1)), (Min(w, 3) * k3.expr, True))
FALSE = {
    **{str(row): row.false for row in ROWS if row.kind in WITNESSES and str(row) not in WITHOUT_WITNESS},
    **{
        f"{i}-{type(t).__name__}": replace(t, **change)
        for i, (t, change) in enumerate(RESPONSES)
        if type(t) in WITNESSES
    },
    "order, off-policy": AgreesToOrder(as_loss(k2), NO_GRADIENT, OLD, 3),
    "order, where C is no function of l": AgreesToOrder(Surrogate(sg(logp + l**3) * logp), NO_GRADIENT, POLICY, 2),
    "order, kinks elsewhere": AgreesToOrder(as_loss(k2), as_loss(k3) + Surrogate(Max(l - 1, 0) * logp), POLICY, 2),
    "expansion of sg": Expansion(exp(sg(l)), 2 + l, 1),
    "an integer": SameGradient(n * as_loss(k2), as_loss(k2), POLICY),
    "pieces": SameGradient(Surrogate(PIECES), as_loss(k2), OLD),
    "a tie without a kink": SameGradient(Surrogate(-Min(w * A, Min(Max(w, 0.8), 1.2) * A)), NO_GRADIENT, POLICY),
    "a kink behind sg": SamplerFree(Surrogate(sg(w * (1 + E(Max(w - 1, 0))) * l) * logp)),
    "a set": SameGradient(Surrogate(inside * l * logp), Surrogate(sg(inside * l) * logp), POLICY),
    "a critic": SameSequenceGradient(in_sequence_reward(critic * l), in_sequence_reward(l), POLICY),
    "an exact critic": SameSequenceGradient(in_sequence_reward(ahead(k2.expr)), in_sequence_reward(l), OLD),
    "curl of a mean over tokens": IsConservative(in_sequence_reward(future(l, Rational(1, 3)) / length), POLICY),
    "lengths": SameSequenceValue(SequenceObjective(length), SequenceObjective(total(2 + 0 * l))),
    "float16": AccurateIn(log(1 + l), log(1 + l), "float16", -4, Rational(1, 10**9)),
    "float64": AccurateIn(exp(l) - 1, expm1(l), "float64", -20, Rational(1, 10**12)),
}
"""False claims of every kind, with every head that formulas have."""


@cache
def certificate(name):
    return json.loads(json.dumps(find_witness(FALSE[name])))


def rejection(c):
    """Why the checker rejects it; empty where it holds."""
    try:
        check(c)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return ""


# --- what holds -------------------------------------------------------------------------------------------------------
def test_the_certificates_of_the_library_hold(library_reports, tmp_path):
    """As a person checks them: in a process of its own."""
    file = tmp_path / "proved.json"
    file.write_text(json.dumps({"theorems": list(library_reports.values())}), encoding="utf-8")
    ran = subprocess.run([sys.executable, TOOL, file], capture_output=True, text=True, check=False)
    *lines, last = ran.stdout.splitlines()
    refuted = [name for name, report in library_reports.items() if report["verdict"] == "REFUTED"]
    assert [line.split(":")[0] for line in lines] == [f"holds     {name}" for name in refuted]
    assert last == f"{len(refuted)} of {len(refuted)} certificates hold"
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", FALSE)
def test_a_certificate_of_any_kind_holds(name):
    c = certificate(name)
    assert c["claim"]["kind"] == type(FALSE[name]).__name__
    assert rejection(c) == ""


def test_every_kind_with_a_witness_is_checked():
    assert set(KINDS) == {kind.__name__ for kind in WITNESSES} == {type(claim).__name__ for claim in FALSE.values()}


def test_the_checker_needs_nothing_of_this_package():
    tree = ast.parse(TOOL.read_text(encoding="utf-8"))
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= {"flint", *sys.stdlib_module_names}


# --- what is rejected -------------------------------------------------------------------------------------------------
def plus(text, by):
    return str(Fraction(text) + Fraction(by))


def ball(name, edit):
    """An edit of a printed enclosure, given its middle and its radius."""

    def edited(c):
        mid, rad = edit(*(Fraction(c[name][key]) for key in ("mid", "rad")))
        return c | {name: {"mid": str(mid), "rad": str(rad)}}

    return edited


def row(edit):
    """An edit of the first row of the policy, of a setting or a tree."""

    def edited(c):
        if "setting" in c:
            c["setting"]["policy"] = edit(c["setting"]["policy"])
        elif "tree" in c:
            c["tree"]["policy"][""] = " ".join(edit(c["tree"]["policy"][""].split()))
        return c

    return edited


def left(edit):
    """An edit of the formula of the left side."""

    def edited(c):
        side = c["claim"]["left"]
        c["claim"]["left"] = edit(side) if isinstance(side, str) else {how: edit(text) for how, text in side.items()}
        return c

    return edited


def field(name, value, of="claim"):
    """Another value, or a function of the one that is there, where there is one."""

    def edited(c):
        if name in c.get(of, {}):
            c[of][name] = value(c[of][name]) if callable(value) else value
        return c

    return edited


def tree(edit):
    """An edit of each table of a tree."""

    def edited(c):
        for who in ("policy", "reference", "old"):
            if "tree" in c:
                edit(c["tree"][who])
        return c

    return edited


def point(edit):
    return lambda c: c | {"l": str(edit(Fraction(c["l"])))} if "l" in c else c


def swapped(c):
    """Left for right, in the claim and in print, so that only the kind says that it is the wrong way round."""
    if "right" in c["claim"]:
        c["claim"] |= {"left": c["claim"]["right"], "right": c["claim"]["left"]}
    difference = {"mid": str(-Fraction(c["difference"]["mid"])), "rad": c["difference"]["rad"]}
    return c | {"left": c["right"], "right": c["left"], "difference": difference}


def mirrored(c):
    """The first two actions in the other order, and left for right in print."""
    if c["claim"]["kind"] == "IsDivergence":
        c["setting"] = {who: [column[1], column[0], *column[2:]] for who, column in c["setting"].items()}
        return swapped(c)
    return c


def of_signed(edit):
    return lambda c: edit(c) if c["claim"]["kind"] in SIGNED else c


def test_a_sign_that_fails_on_a_narrow_interval_only_has_a_witness():
    """l - 11 is negative on (10.999984, 11), which no grid meets; there is none where there is nothing to find."""
    low = Rational(10999984, 10**6)
    found = find_witness(HasSign(l - 11, 1, above=low))
    assert found is not None
    assert low < Rational(found["l"]) < 11
    assert find_witness(HasSign(l - 11, -1, above=low, below=S(11))) is None


SIGNED = (
    "AlwaysSign",
    "HasSign",
    "LessVarianceAt",
    "ShorterGradientAt",
    "AccurateIn",
    "SignAt",
    "GradientBound",
    "Range",
)


NEVER_RIGHT = {
    # --- the numbers in print
    "difference, sign": ball("difference", lambda mid, rad: (-mid, rad)),
    "difference, a thousandth more": ball("difference", lambda mid, rad: (mid * Fraction(1001, 1000), rad)),
    "difference, as wide as it is far": ball("difference", lambda mid, rad: (mid, abs(mid))),
    "difference, negative radius": ball("difference", lambda mid, rad: (mid, -abs(mid))),
    "difference, none": ball("difference", lambda mid, rad: (0, 0)),
    "left": ball("left", lambda mid, rad: (mid + Fraction(1, 10**6), rad)),
    "right": ball("right", lambda mid, rad: (mid - Fraction(1, 10**6), rad)),
    "right, missing": lambda c: {key: x for key, x in c.items() if key != "right"},
    # --- the place
    "policy, sum": row(lambda p: [plus(p[0], "1e-9"), *p[1:]]),
    "policy, negative": row(lambda p: [plus(p[0], 1), plus(p[1], -1), *p[2:]]),
    "policy, zero": row(lambda p: [plus(p[0], p[1]), "0", *p[2:]]),
    "policy, not a number": row(lambda p: ["nan", *p[1:]]),
    "policy, one action less": row(lambda p: [plus(p[0], p[-1]), *p[1:-1]]),
    "two places": lambda c: c | ({"setting": {}} if "l" in c else {"l": "1"}),
    "no place": lambda c: {key: x for key, x in c.items() if key not in ("setting", "tree", "l")},
    "a row after what has ended": tree(lambda table: table.update({"0 0 0 0": table[""]})),
    "a row missing": tree(lambda table: table.pop("1")),
    "another token ends": field("eos", lambda eos: 1 if eos == 0 else 0, of="tree"),
    # --- the claim
    "no claim": lambda c: {key: x for key, x in c.items() if key != "claim"},
    "left, unbalanced": left(lambda text: f"{text})"),
    "left, an unknown head": left(lambda text: f"(__import__ {text})"),
    "left, an unknown name": left(lambda text: f"(+ {text} nobody)"),
    "left, nothing": left(lambda text: ""),
    "left, two formulas": left(lambda text: f"{text} {text}"),
    "left, on a kink": left(lambda text: f"(where (case 0 (< 0 (+ l (* -1 l)))) (case {text} (true)))"),
    "left, infinite": left(lambda text: f"(+ {text} (log (+ l (* -1 l))))"),
    "left, the right one": lambda c: field("left", c["claim"].get("right"))(c) if "right" in c["claim"] else c,
    "sides the wrong way round": of_signed(swapped),
    "the larger log-ratio first": mirrored,
    "kind, unknown": field("kind", "SameThing"),
    "sampler, nobody": field("sampler", "nobody"),
    "sign, the other": field("sign", lambda sign: -sign),
    "sign, either": field("sign", 0),
    "order, none": field("order", -1),
    "one length": field("fixed_length", True),
    "interval, above": field("above", "100"),
    "interval, below": field("below", "-100"),
    "share": field("at_most", "1/2"),
    "side of zero": field("side", lambda side: -side),
    "binade": field("exponent", lambda exponent: exponent + 1),
    "bound": field("bound", "1000"),
    "tree of the claim": field("policy", lambda rows: [["", ".25 .75"], *rows[1:]]),
    "l, between floats": lambda c: (
        point(lambda l: l + Fraction(1, 2**1100))(c) if c["claim"]["kind"] != "HasSign" else c
    ),
    "parameters, one missing": lambda c: c | {"choice": {}} if c["claim"]["parameters"] else c,
    "parameters, not admitted": field("parameters", lambda words: {s: ["negative"] for s in words}),
}
"""Edits after which a certificate shows nothing, whatever it is of."""

OTHER_NUMBERS = {
    "policy, swapped": row(lambda p: [p[1], p[0], *p[2:]]),
    "policy, a little moved": row(lambda p: [plus(p[0], "1e-9"), plus(p[1], "-1e-9"), *p[2:]]),
    "reference, reversed": field("reference", lambda r: r[::-1], of="setting"),
    "l, elsewhere": point(lambda l: l * Fraction(3, 2)),
    "the set": lambda c: c | {"inside": [1]} if "inside" in c else c,
    "a critic": field("critic", lambda table: dict.fromkeys(table, "1/2"), of="past"),
    "component": lambda c: c | {"component": (c["component"] + 1) % 3} if isinstance(c["component"], int) else c,
    "left, twice": left(lambda text: f"(* 2 {text})"),
    "sampler": field("sampler", lambda who: "old" if who == "policy" else "policy"),
    "a parameter": lambda c: (
        c | ({"choice": {s: plus(c["choice"][s], 1) for s in p}} if (p := c["claim"]["parameters"]) else {})
    ),
}
"""Edits after which the sides have other values than in print, unless they do not depend on what is edited."""

FEW = 3
"""Edits that each certificate of the library gets."""

NEUTRAL = {
    # two tokens: this entry of the Jacobian is even in them
    "policy, swapped": {
        *("7-IsConservative", "8-IsConservative", "curl of a mean over tokens"),
        *("OnTwoActions-probabilities", "TraceVariance-noise"),  # nor do formulas of Σ π² tell them apart
    },
    # sign(l) is the same for the first two actions
    "policy, a little moved": {"SameGradient-cells", "SameGradient-constants of cells"},
    # no formula has l
    "reference, reversed": {
        "IsDivergence-from no old policy",
        "OnTwoActions-probabilities",
        "TraceVariance-noise",
        "SameGradient-a set",
        "SameGradient-sampler",
        "SameMoment-old policy",
        "SameMoment-set",
        "SameScore-in expectation only",
        "SameValue-sampler",
        "a tie without a kink",
    },
    # a variance does not feel a constant
    "a parameter": {"SameMoment-any h"},
    # zero, twice
    "left, twice": {"order, kinks elsewhere"},
    # one sample, or weighted and not clipped there
    "sampler": {
        "SameGradient-detached weight",
        "SameGradient-live weight",
        "SameScore-in expectation only",
        "SameScore-per sample",
        "a tie without a kink",
    },
}
"""Where the sides do not depend on what is edited, so that the certificate is of the edited claim as well."""


def survivors(edits, name, named):
    """The certificates that are changed by an edit and still hold, and how many are changed."""
    edited = {key: (c, edits[name](deepcopy(c))) for key, c in named.items()}
    changed = {key: new for key, (c, new) in edited.items() if new != c}
    return {key for key, c in changed.items() if not rejection(c)}, len(changed)


ALSO_RIGHT = {"one length": {"19-IsConservative"}}
"""Its tree has responses of one length, where the claim is false as well."""


@pytest.mark.parametrize("edit", NEVER_RIGHT)
def test_what_shows_nothing_is_rejected(edit):
    kept, changed = survivors(NEVER_RIGHT, edit, {name: certificate(name) for name in FALSE})
    assert changed, "an edit that changes nothing shows nothing"
    assert kept == ALSO_RIGHT.get(edit, set())


def test_the_certificates_of_the_library_are_rejected_once_they_are_tampered_with(library_reports):
    """Each with a few of the edits that are edits of it, another one first for each."""
    library = {name: report["witness"] for name, report in library_reports.items() if report["witness"]}
    edits = list(NEVER_RIGHT)
    for i, (name, c) in enumerate(library.items()):
        start = i % len(edits)
        found = ((e, survivors(NEVER_RIGHT, e, {name: c})) for e in (*edits[start:], *edits[:start]))
        tried = list(islice(((e, kept) for e, (kept, changed) in found if changed), FEW))
        assert tried
        assert [e for e, kept in tried if kept] == []


@pytest.mark.parametrize("edit", OTHER_NUMBERS)
def test_other_numbers_than_in_print_are_rejected(edit):
    kept, changed = survivors(OTHER_NUMBERS, edit, {name: certificate(name) for name in FALSE})
    assert changed
    assert kept == NEUTRAL.get(edit, set())


TRUE = {str(row): row.true for row in ROWS if str(row) in FALSE}
TRUE |= {key: t for i, (t, _) in enumerate(RESPONSES) if (key := f"{i}-{type(t).__name__}") in FALSE}


def forged(name):
    """The certificate of the twin, of the true claim, with whatever the checker finds in print."""
    (true, *_) = instances(TRUE[name])
    choice = {str(s): str(x) for s, x in parameters(true).items()}
    c = deepcopy(certificate(name)) | {"claim": plain(true), "choice": choice}
    with flint.ctx.workprec(320):
        left, right, _ = KINDS[c["claim"]["kind"]][1](c, c["claim"])
        for side, x in (("left", left), ("right", right), ("difference", left - right)):
            low, high = CHECKER["ends"](x)
            c[side] = {"mid": str((low + high) / 2), "rad": str((high - low) / 2)}
    return c


@pytest.mark.parametrize("name", TRUE)
def test_no_certificate_can_be_forged_for_a_true_claim(name):
    """Where the twin fails the claim holds, to 300 bits: balls of both sides overlap, or the right one is larger."""
    try:
        why = rejection(forged(name))
    except CHECKER["Rejected"] as e:
        why = f"Rejected: {e}"
    assert re.match(
        "Rejected: (a sign is not decided|the sides are as claimed|.* does not speak|.* lies outside|.* of one length|"
        ".* not that of)",
        why,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(FALSE)), st.sampled_from(["left", "right", "difference"]), st.integers(-9, 3), st.booleans()
)
def test_an_enclosure_that_does_not_hold_the_number_is_rejected(name, side, digits, up):
    """Moved by a power of ten that is more than its radius."""
    c = deepcopy(certificate(name))
    mid, rad = (Fraction(c[side][key]) for key in ("mid", "rad"))
    by = max(Fraction(10) ** digits, 3 * rad) * (1 if up else -1)
    assert rejection(c | {side: {"mid": str(mid + by), "rad": str(rad)}})
    assert not rejection(c | {side: {"mid": str(mid), "rad": str(rad)}})


GARBAGE = [None, [], {}, "", "x", "(", "nan", "-1", "1e99", -1, 0.5, True, [[]], {"loss": None}]
NEEDED = ["claim", "claim kind", "claim left", "left", "right", "difference"]


@pytest.mark.parametrize("path", NEEDED)
def test_garbage_is_rejected_and_never_raises(path, tmp_path, capsys):
    *outer, last = path.split()
    theorems = []
    for name in ("SameGradient-direction", "0-SameSequenceGradient", "HasSign-line"):
        for value in GARBAGE:
            c = deepcopy(certificate(name))
            (c[outer[0]] if outer else c)[last] = value
            theorems.append({"name": f"{name} {value}", "verdict": "REFUTED", "witness": c})
    file = tmp_path / "proved.json"
    file.write_text(json.dumps({"theorems": theorems}), encoding="utf-8")
    assert main([str(file)]) == 1
    *lines, last_line = capsys.readouterr().out.splitlines()
    assert [line[:8] for line in lines] == ["REJECTED"] * len(theorems)
    assert last_line == f"0 of {len(theorems)} certificates hold"


NOT_ENOUGH = {
    "nothing": ([], "0 of 0 certificates hold"),
    "nothing refuted": ([{"name": "t", "verdict": "PROVED", "witness": None}], "0 of 0 certificates hold"),
    "no certificate": ([{"name": "t", "verdict": "REFUTED", "witness": None}], "there is no certificate"),
    "one of two": (
        [
            {"name": "t", "verdict": "REFUTED", "witness": certificate("HasSign-line")},
            {"name": "t", "verdict": "REFUTED", "witness": certificate("HasSign-line") | {"l": "1"}},
        ],
        "1 of 2 certificates hold",
    ),
}


@pytest.mark.parametrize("name", NOT_ENOUGH)
def test_the_exit_status_is_zero_only_where_all_hold(name, tmp_path, capsys):
    theorems, words = NOT_ENOUGH[name]
    file = tmp_path / "proved.json"
    file.write_text(json.dumps({"theorems": theorems}), encoding="utf-8")
    assert main([str(file)]) == 1
    assert words in capsys.readouterr().out


# --- formulas as they are written -------------------------------------------------------------------------------------
WRITTEN = {
    "(* 1/2 (^ l 2))": l**2 / 2,
    "(+ -1 l (exp (* -1 l)))": k3.expr,
    "(min 3 (exp log_w))": Min(w, 3),
    "(where (case l (< l 0)) (case 1/10 (true)))": Piecewise((l, l < 0), (0.1, True)),
    "(* (exp 1) (pi))": exp(1) * pi,
    "(E (* l (E (sg logp))))": E(l * E(sg(logp))),
    "(at 1 (* 3 l))": At(3 * l, 1),
    "(total (* (future l 1/3) (past (^ l 2))))": total(future(l, Rational(1, 3)) * past(l**2)),
    "(minus l 1)": minus(l, 1),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_formulas_are_written(text):
    assert sexpr(WRITTEN[text]) == text


@pytest.mark.parametrize("expr", [Symbol("l", positive=True), Symbol("a b"), Symbol("1"), Symbol("(x"), h.expr, tan(l)])
def test_what_could_be_misread_is_not_written(expr):
    """A parameter by the name of a variable, a name that is no word, what has no number."""
    with pytest.raises(NotNumeric, match=r"cannot be called|has no numeric meaning"):
        sexpr(expr)
