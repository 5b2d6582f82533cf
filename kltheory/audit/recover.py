"""Recovery: from a subject to the surrogate of one token, the weight each token gets, and what couples them.

The function is traced on a small batch, entry by entry. Its output, summed, falls apart into one term for each entry
when tokens do not meet; all terms are then one surrogate times a number, the token's weight in the aggregation.
"""

import math
from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import Any, Final

import numpy as np
from sympy import Add, Basic, Expr, Max, Min, Rational, S, Symbol, exp, expand_mul, nan, oo, zoo

from kltheory.audit.confirm import Disagreement, confirm
from kltheory.audit.derived import Derived
from kltheory.audit.layout import Index, Layout, policies, slope
from kltheory.audit.letters import apart, lettered, numbers
from kltheory.audit.manners import in_some_manner, manners, masks_by_labels
from kltheory.audit.measured import Measured
from kltheory.audit.reading import Entries, Reading
from kltheory.audit.roles import Role
from kltheory.audit.subject import Arrays, Raised, Subject
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.surrogate import Surrogate, derivative
from kltheory.calculus.symbols import VARIABLES, erase_sg, off_jumps, sg
from kltheory.numerics.bridge import NUMPY, NotNumeric
from kltheory.tracing.trace import CannotTrace, Exprs, Floats, Trace

TOKENS: Final[tuple[Index, ...]] = ((2, 3), (3,), (), (1, 4))
ONE_TOKEN: Final[tuple[Index, ...]] = ((1, 1), (1,), ())
LONG: Final = 10**6
"""A constant with a larger denominator was rounded by the code, and is not meant exactly."""


def recover(subject: Subject) -> Reading:
    """The reading of a subject whose arrays are still to be found. Raises Raised where it raises on every shape."""
    return read(*runnable(subject))


def read(subject: Subject, layout: Layout) -> Reading:
    """Trace a subject and confirm the trace on the running function; what cannot be traced is measured.

    Numbers that nobody gave are taken to be others where their generic values cancel, as in ``(alpha - beta)*k2``.
    """
    found = _read(subject, layout)
    if not isinstance(found, Derived) or not found.cancels:
        return found
    return _read(apart(subject, {path: k for k, path in enumerate(numbers(subject))}), layout)


def _read(subject: Subject, layout: Layout) -> Reading:
    try:
        return _separated(subject, layout, _traced(subject, layout))
    except (CannotTrace, Disagreement, Undecidable, NotNumeric, RecursionError) as e:
        coupled = entangled(subject, layout)
        return Measured(
            subject=subject,
            layout=layout,
            per_token=not coupled and subject.run(layout.arrays())[0].shape == layout.tokens,
            coupled=coupled,
            across=coupled and entangled(subject, layout, responses=True),
            reason=str(e),
        )


def runnable(subject: Subject) -> tuple[Subject, Layout]:
    """The first layout on which the function runs and gives finite numbers. Raises Raised with the first failure."""
    first: Raised | CannotTrace | None = None
    for manner in manners(subject):
        for tokens in TOKENS:
            try:
                known = in_some_manner(subject, manner, partial(_arrays, tokens), len(tokens) == 2)
            except (Raised, CannotTrace) as e:
                first = first or e
            else:
                read = masks_by_labels(known, _arrays(tokens, known))
                return read, Layout.of(read, tokens)
    assert first is not None
    raise first


def _arrays(tokens: Index, subject: Subject) -> Arrays:
    return Layout.of(subject, tokens).arrays()


def _traced(subject: Subject, layout: Layout, mask: Floats | None = None) -> Trace:
    shown = [Role.ADVANTAGE] if Role.ADVANTAGE in subject.roles else []
    return subject.trace(layout.arrays(mask=mask), layout.exprs([*subject.traced, *shown]))


def traced(subject: Subject, layout: Layout, mask: Floats | None = None) -> Exprs:
    """What it computes on arrays of this shape, entry by entry. Raises CannotTrace, Raised."""
    return _normalised(_traced(subject, layout, mask).exprs, layout)


def _separated(subject: Subject, layout: Layout, trace: Trace) -> Reading:
    exprs = _normalised(trace.exprs, layout)
    residual = confirm(subject, layout, exprs, trace.dtype)
    meeting = _advantages_meet(exprs, layout)
    if meeting:
        exprs = without_advantages(exprs, layout)
    exprs, left_out = without_small_constants(exprs)
    terms, coupled = terms_of(exprs, layout)
    coupled = coupled or mixed(exprs, layout)
    entries = Entries.of(subject)
    single = _single(subject, layout, bool(meeting))
    if coupled and entries is not Entries.SAMPLE:
        coupled = entangled(subject, layout)
        if not coupled:
            raise CannotTrace(NOT_ONE[entries])
    if coupled and single is not None and not single.free_symbols:
        single = None  # a batch of one token says nothing, as where its own mean is taken away
    if single is None and not coupled:
        single = _of_several(subject, layout, terms) if exprs.size == 1 else _first(terms)
    across = coupled and (responses_meet(exprs, layout) or entangled(subject, layout, responses=True))
    facts: dict[str, Any] = {"dtype": trace.dtype, "coupled": coupled, "across": across, "meeting": meeting}
    facts |= {"subject": subject, "layout": layout, "residual": residual, "left_out": left_out}
    if single is None:
        return Measured(**facts)
    s = Surrogate.of(single)
    weights = None if coupled else token_weights(terms, layout, s)
    own = exprs.shape in (layout.tokens, layout.shape) and weights is not None and bool((weights == 1).all())
    letters = lettered(subject, single, lambda other: _single(other, layout, bool(meeting)))
    return Derived(surrogate=s, lettered=letters, weights=weights, per_token=own, **facts)


SLIGHT: Final = Rational(1, 10**5)
"""What a small constant, such as 1e-8 beside a count, may change of a factor."""

NO_ACCIDENT: Final = Rational(1, 10**4)
"""Every number has fractions p/q within 1/q² of it: so much nearer is one that is meant, and sqrt(2) is none."""


def without_small_constants(exprs: Exprs) -> tuple[Exprs, float]:
    """The expressions with factors such as 1/(3 + 1e-8) as 1/3, and the largest relative change that this is."""
    most = S.Zero

    def entry(e: Expr) -> Expr:
        nonlocal most
        found = S.Zero
        for term in Add.make_args(expand_mul(e)):
            c, rest = term.as_coeff_Mul()
            if isinstance(c, Rational) and c.q > LONG and (near := c.limit_denominator(1000)):
                change = abs(c / near - 1)
                is_meant = change < SLIGHT and abs(c - near) * near.q**2 < NO_ACCIDENT
                most, c = (max(most, change), near) if is_meant else (most, c)
            found += c * rest
        return found if most else e

    plain = np.vectorize(entry, otypes=[object])(exprs)
    return (plain, float(most)) if most else (exprs, 0.0)


NOT_ONE: Final = {
    Entries.VOCABULARY: "the actions of one token do not separate into a sum over the vocabulary",
    Entries.ACTION: "a token's term holds log-probabilities of actions that were not sampled",
}


def _advantages_meet(exprs: Exprs, layout: Layout) -> str:
    """Where a token's term holds advantages of others, as where they are whitened in the function; empty if nowhere."""
    for unit, term in terms_of(exprs, layout)[0].items():
        if term.free_symbols & layout.advantages:
            return f"the term of the token at {unit} holds the advantages of others"
    return ""


def without_advantages(exprs: Exprs, layout: Layout) -> Exprs:
    """What is left where every advantage is 0: the penalty."""
    zeros = dict.fromkeys(layout.advantages, S.Zero)
    return np.vectorize(lambda e: e.xreplace(zeros), otypes=[object])(exprs)


def _normalised(exprs: Exprs, layout: Layout) -> Exprs:
    """Logits are log-probabilities of a normalised policy: sums of their exponentials are 1.

    A constant of code that stands in an exponent, such as ``log(0.5)``, is one outside of it. Advantages are data: they
    are held whether or not the code says so.
    """
    ones: dict[Basic, Basic] = {}
    for token in np.ndindex(layout.tokens if layout.vocabulary else ()):
        columns = zip(*(list(layout.symbols((*token, v)))[:3] for v in range(layout.vocabulary)), strict=True)
        ones |= {Add(*map(exp, column)): S.One for column in columns}

    def held(x: Expr) -> Expr:
        return x if x.free_symbols <= layout.advantages else sg(x)

    def entry(e: Expr) -> Expr:
        e = _outside(_unbounded(e))
        while (again := e.xreplace(ones)) != e:  # a softmax of a log-softmax is normalised twice
            e = again
        return e.replace(sg, held) if e.has(sg) and e.free_symbols & layout.advantages else e

    return np.vectorize(entry, otypes=[object])(exprs)


FARTHEST: Final = 10**30
"""A bound beyond this, such as the least float, bounds no logarithm of a probability."""


def _unbounded(e: Expr) -> Expr:
    """The expression without bounds that no number reaches: as a distribution clamps its log-probabilities."""
    e = e.replace(Max, lambda *args: Max(*(a for a in args if not (a.is_Number and a < -FARTHEST))))
    return e.replace(Min, lambda *args: Min(*(a for a in args if not (a.is_Number and a > FARTHEST))))


def _outside(e: Expr) -> Expr:
    """exp(x + c) as exp(c)·exp(x) for a c that is no more than a rounded number, exp(c) rounded as well."""
    known = {}
    for power in e.atoms(exp):
        c, rest = power.args[0].as_coeff_Add()
        if isinstance(c, Rational) and c.q > LONG and abs(c) < 30:
            factor = Rational(repr(math.exp(c)))
            simple = factor.limit_denominator(1000)
            known[power] = (simple if abs(simple / factor - 1) < 1e-15 else factor) * exp(rest)
    return e.xreplace(known) if known else e


def terms_of(exprs: Exprs, layout: Layout) -> tuple[dict[Index, Expr], str]:
    """The summed output, unit by unit, in its own action's symbols; and where units meet, or other actions enter."""
    owner, terms = layout.owner, dict.fromkeys(layout.units, S.Zero)
    for total in exprs.flat:
        for term in Add.make_args(expand_mul(total)):
            met = sorted({owner[s] for s in term.free_symbols if s in owner})
            if len(met) > 1:
                places = " and ".join(map(str, met[:2]))
                return terms, f"one term holds the entries {places}{' and others' if len(met) > 2 else ''}"
            if met:
                terms[met[0]] += term
    own = {unit: e.xreplace(layout.symbols(layout.units[unit])) for unit, e in terms.items()}
    for unit, e in own.items():
        if e.free_symbols & owner.keys():
            return own, f"the term of the token at {unit} holds log-probabilities of actions that were not sampled"
    return own, ""


def mixed(exprs: Exprs, layout: Layout) -> str:
    """Where an output that has an entry for each token holds those of others; empty where none does."""
    for index in np.ndindex(layout.tokens) if exprs.shape == layout.tokens and layout.tokens else ():
        entry: Expr = exprs[index]
        if any(layout.owner[s][: len(index)] != index for s in entry.free_symbols if s in layout.owner):
            return f"the output at {index} holds entries of other tokens"
    return ""


def responses_meet(exprs: Exprs, layout: Layout) -> str:
    """Where entries of several rows meet, in one term or in the output of one row; empty where none do."""
    row = {s: unit[0] for s, unit in layout.owner.items()} if len(layout.tokens) == 2 else {}
    by_row = len(exprs.shape) > 0 and exprs.shape[:1] == layout.tokens[:1]
    for index, total in np.ndenumerate(exprs):
        for term in Add.make_args(expand_mul(total)):
            met = {row[s] for s in term.free_symbols if s in row} | ({index[0]} if by_row else set())
            if len(met) > 1:
                return f"entries of the responses {' and '.join(map(str, sorted(met)[:2]))} meet"
    return ""


def _single(subject: Subject, layout: Layout, penalty: bool) -> Expr | None:
    """The surrogate of a batch of one token: all of its output, the constant included."""
    for tokens in ONE_TOKEN:
        alone = Layout.of(subject, tokens)
        try:
            exprs = traced(subject, alone)
        except (CannotTrace, Raised):
            continue
        exprs, _ = without_small_constants(without_advantages(exprs, alone) if penalty else exprs)
        if any(e.has(nan, zoo, oo, -oo) for e in exprs.ravel().tolist()):
            continue  # as where a batch of one is divided by its spread
        found, apart = terms_of(exprs, alone)
        if layout.vocabulary and not layout.gathers:
            return None if apart or len(set(found.values())) > 1 else next(iter(found.values()))
        if exprs.size == 1 and not apart:
            (entry,) = alone.units.values()
            return exprs.item().xreplace(alone.symbols(entry))
    return None


def _first(terms: Mapping[Index, Expr]) -> Expr:
    return next((e for e in terms.values() if e != 0), S.Zero)


def _of_several(subject: Subject, layout: Layout, terms: Mapping[Index, Expr]) -> Expr:
    """The surrogate where a batch of one token has no value: without the count that a mean divides by.

    A mean over more tokens tells the count, which changes, from a number of the code, which does not.
    """
    found = [_first(terms)]
    scaled = [found[0] * sum(e != 0 for e in terms.values())]
    if layout.tokens:
        longer = Layout.of(subject, (*layout.tokens[:-1], layout.tokens[-1] + 1))
        try:
            others, _ = terms_of(traced(subject, longer), longer)
        except (CannotTrace, Raised):
            return found[0]
        found.append(_first(others))
        scaled.append(_first(others) * sum(e != 0 for e in others.values()))
    return scaled[0] if found[0] != found[-1] and scaled[0] == scaled[-1] else found[0]


def token_weights(terms: Mapping[Index, Expr], layout: Layout, surrogate: Surrogate) -> Floats:
    """What each token's term is a multiple of the surrogate by; not a number where it is no multiple."""
    weights = np.zeros(layout.tokens)
    at = {v: -0.37 * k for k, v in enumerate(VARIABLES, 1)}
    number = _slope_at if _slope_at(surrogate, at) else _value_at  # a detached value has weights as well
    base = number(surrogate, at)
    for token in np.ndindex(layout.tokens):
        term = Surrogate.of(terms[token if token in terms else (*token, 0)])
        if term.expr == surrogate.expr:
            weights[token] = 1.0
        elif term.expr != 0:
            ratio = number(term, at) / base if base else float("nan")
            scale = Rational(ratio).limit_denominator(10**6) if np.isfinite(ratio) else S.Zero
            gap = term - scale * surrogate
            same = gap.score().is_zero() if number is _slope_at else is_zero(erase_sg(gap.expr))
            weights[token] = float(scale) if same else float("nan")
    return weights


def _slope_at(surrogate: Surrogate, at: Mapping[Symbol, float]) -> float:
    return float(NUMPY(off_jumps(derivative(surrogate.expr)), at))


def _value_at(surrogate: Surrogate, at: Mapping[Symbol, float]) -> float:
    return float(NUMPY(erase_sg(surrogate.expr), at))


def entangled(subject: Subject, layout: Layout, responses: bool = False) -> str:
    """How, in the running function, one token's derivative changes with the others; empty when it does not.

    With ``responses``, only how it changes with tokens of other responses, the rows.
    """
    at = layout.arrays(seed=1)
    output, slopes = subject.run(at)
    base = slope(slopes, at)
    scale = 1e-5 * max(1.0, float(np.nanmax(np.abs(base))))
    for token, shift in product(list(np.ndindex(layout.tokens))[:2], (0.25, 12.0)):  # a little, and past thresholds
        policy = at[Role.LOGP].copy()
        policy[token] = policy[token][::-1] if layout.vocabulary else policy[token] - shift
        moved = {**at, **policies(policy, at[Role.LOGP_REF], at[Role.LOGP_OLD])}
        others = np.ones(layout.tokens, dtype=bool)
        others[token[:1] if responses else token] = False
        again, slopes = subject.run(moved)
        if output.shape == layout.tokens and not np.array_equal(again[others], output[others], equal_nan=True):
            return f"the output at other tokens changes with the log-probability at {token}"
        gap = np.abs(slope(slopes, moved) - base)[others]
        if gap.size and not gap.max() <= scale:
            return f"the derivative at other tokens changes with the log-probability at {token}"
    return ""
