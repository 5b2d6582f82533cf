"""Words: the normal form of the expected gradient of a response, for every vocabulary size and every horizon.

A word is a row of marked positions with a function at each and a factor in every gap; its expectation is summed over
where the marks stand. It is reduced from the end, since what follows the last mark is averaged given the past:

- a last gap of 1, 1/u or 1/w has mean 1, whatever the past (the policy, the reference, the old policy sum to one);
- a last mark without the score counts by its mean given the past; one with the score modulo functions of the past;
- a mark that shifts the border between two different gaps telescopes: Σ_t Π_{<t} ρ (ρ_t - σ_t) Π_{>t} σ = Π ρ - Π σ.

A factor that depends on the length |y| is known at the end only: with it nothing is reduced.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sympy import Dummy, Expr, Poly, S, Symbol, exp

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import NORMALISED, Mean, mean, monomials
from kltheory.calculus.sequence.language import SUMS, Ahead, future, length
from kltheory.calculus.sequence.loss import SCORES, Carried, is_of_the_token
from kltheory.calculus.sequence.terms import Span, Term, take_apart
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import VARIABLES, log_weight


@dataclass(frozen=True)
class Word:
    """Gaps and marks in turn, gap first and last.

    Attributes:
        factor: a number, or a function of the length.
        gaps: the factor at each position of the gap, one more than marks.
        marks: the function at each marked position.
        counted: how many further positions after the last mark are counted: a number where all lengths are equal.
    """

    factor: Expr
    gaps: tuple[Expr, ...]
    marks: tuple[Expr, ...]
    counted: int = 0

    def with_last(self, mark: Expr) -> "Word":
        """With another function at the last mark."""
        return replace(self, marks=(*self.marks[:-1], mark))

    def as_term(self) -> Term:
        """With 1 at the last mark, as a term whose indices stand in this order."""
        last = len(self.marks) - 1
        chain = frozenset((i, i + 1) for i in range(last))
        spans = tuple(
            Span(i - 1 if i else None, i if i <= last else None, gap) for i, gap in enumerate(self.gaps) if gap != 1
        )
        return Term(self.factor, (*self.marks[:-1], S.One), chain, spans)


Key = tuple[Expr, tuple[Expr, ...], tuple[Expr, ...], frozenset[Symbol], int]
"""What stands before the last mark: function of the length, gaps, inner marks; the scores at the last; the count."""


def words(term: Term) -> Iterator[Word]:
    """The term summed over each order of its indices."""
    for order in term.orders():
        rank = {i: r for r, block in enumerate(order) for i in block}

        def inside(span: Span, gap: int, rank: dict[int, int] = rank) -> bool:
            above = span.low is None or gap > rank[span.low]
            return above and (span.high is None or gap <= rank[span.high])

        def on(span: Span, r: int, rank: dict[int, int] = rank) -> bool:
            above = span.low is None or r > rank[span.low]
            return above and (span.high is None or r < rank[span.high] or (span.closed and r == rank[span.high]))

        gaps, marks = [S.One] * (len(order) + 1), [S.One] * len(order)
        for i, function in enumerate(term.marks):
            marks[rank[i]] *= function
        for span in term.spans:
            gaps = [g * span.factor if inside(span, n) else g for n, g in enumerate(gaps)]
            marks = [m * span.factor if on(span, r) else m for r, m in enumerate(marks)]
        yield Word(term.factor, tuple(gaps), tuple(marks))


def normal_form(expr: Expr, sampler: Sampler, fixed_length: bool) -> dict[Key, Expr]:
    """The words of what is averaged over the sampler's responses, as averages under the policy.

    Args:
        expr: a formula of whole responses without ``sg``, a gradient if it is linear in the scores.
        sampler: who drew the responses.
        fixed_length: whether all have one length, so that ``length`` is a number.

    Returns:
        What stands before the last mark, to the function at the last mark.

    Raises:
        Undecidable: it is no sum of words.
    """
    density = () if sampler is Sampler.POLICY else (Span(None, None, exp(-log_weight)),)
    form: dict[Key, Expr] = {}
    todo = [w for t in take_apart(expr, None, Term(spans=density)) for w in words(t)]
    while todo:
        word = todo.pop()
        further = _step(word, fixed_length)
        if further is not None:
            todo.extend(further)
        else:
            last = word.marks[-1] if word.marks else S.One
            constant, of_length = word.factor.as_independent(length, as_Add=False)
            key = (of_length, word.gaps, word.marks[:-1], frozenset(s for s in SCORES if last.has(s)), word.counted)
            form[key] = form.get(key, S.Zero) + constant * last
    return form


def _step(word: Word, fixed_length: bool) -> list[Word] | None:
    """The word rewritten once, ``None`` where it is reduced."""
    if word.factor == 0 or any(m == 0 for m in word.marks):
        return []
    waits = not fixed_length and any(e.has(length) for e in (word.factor, *word.gaps, *word.marks))
    if not waits and word.gaps[-1] != 1 and word.gaps[-1] in NORMALISED:
        return [replace(word, gaps=(*word.gaps[:-1], S.One))]
    if not waits and word.marks and word.gaps[-1] == 1 and (rewritten := _ended(word, fixed_length)) is not None:
        return rewritten
    if any(m.has(Carried) for m in word.marks):
        raise Undecidable("a mean over the vocabulary is differentiated before the end of what it multiplies")
    return _split(word) or _telescoped(word)


# --- the end ----------------------------------------------------------------------------------------------------------
def _ended(word: Word, fixed_length: bool) -> list[Word] | None:
    """Average the last mark given its past."""
    last = word.marks[-1]
    if carried := sorted(last.atoms(Carried), key=str):
        (node,) = carried
        return [word.with_last(node.args[1] * mean(last.coeff(node)) * node.args[0])]
    averaged = last if last.has(*SCORES) else _averaged(last)
    if ahead := sorted(averaged.atoms(Ahead), key=str):
        averaged = _looked_ahead(averaged, ahead)
    if averaged.has(*SUMS):
        return [w for t in take_apart(averaged, len(word.marks) - 1, word.as_term()) for w in words(t)]
    if averaged != last:
        return [word.with_last(averaged)]
    if fixed_length and len(word.marks) > 1 and word.gaps[-2] == 1 and not is_of_the_token(last):
        return [Word(word.factor * last, word.gaps[:-1], word.marks[:-1], word.counted + 1)]
    return None


def _averaged(last: Expr) -> Expr:
    """What has the mean of ``last`` given the past: the normalised integrands 1, and a mean its integrand."""
    found = monomials(last, lambda f: bool(f.free_symbols & set(VARIABLES)))
    known = sum((found.pop(f, S.Zero) for f in NORMALISED), S.Zero)
    for m in sorted(known.atoms(Mean), key=str):
        if not is_of_the_token(known.diff(m)):
            known = known.xreplace({m: m.integrand})
    return sum((c * f for f, c in found.items()), known)


def _looked_ahead(last: Expr, nodes: list[Expr]) -> Expr:
    """E[X · E[future | token]] = E[X · future]."""
    dummies = {node: Dummy() for node in nodes}
    if Poly(last.xreplace(dummies), *dummies.values()).total_degree() > 1:
        raise Undecidable(f"{last} is not linear in what is to come")
    return last.xreplace({node: future(node.summand) for node in nodes})


# --- the rest ---------------------------------------------------------------------------------------------------------
def _split(word: Word) -> list[Word] | None:
    """Inner marks as sums of products."""
    for n, mark in enumerate(word.marks[:-1]):
        parts = monomials(mark, is_of_the_token)
        if list(parts.items()) != [(mark, S.One)]:
            marks = word.marks
            return [
                replace(word, factor=word.factor * c, marks=(*marks[:n], f, *marks[n + 1 :])) for f, c in parts.items()
            ]
    return None


def _telescoped(word: Word) -> list[Word] | None:
    """Each mark without the score that only moves the border between its two gaps replaced by the difference."""
    for n, mark in enumerate(word.marks):
        left, right = word.gaps[n : n + 2]
        if left == right or mark.has(*SCORES):
            continue
        parts = monomials(mark, is_of_the_token)
        if (c := parts.pop(left, S.Zero)) == 0:
            continue
        rest = sum((d * f for f, d in parts.items()), c * right)
        before, after = word.marks[:n], word.marks[n + 1 :]
        merged = [
            Word(sign * c * word.factor, (*word.gaps[:n], gap, *word.gaps[n + 2 :]), before + after, word.counted)
            for sign, gap in ((1, left), (-1, right))
        ]
        return [replace(word, marks=(*before, rest, *after)), *merged]
    return None
