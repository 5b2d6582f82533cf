"""Words: marked positions in order with a function at each, and a factor at every position of each gap.

A gradient or a value of a response is a sum of words, each summed over where its marks stand. What a mean over the
vocabulary carries, and what an exact critic says, is known once what follows is averaged: at the end of a word.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sympy import Add, Dummy, Expr, Poly, S

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import NORMALISED, Mean, is_product, mean, monomials, normal
from kltheory.calculus.sequence.language import Ahead, future
from kltheory.calculus.sequence.loss import SCORES, BothScored, Carried
from kltheory.calculus.sequence.terms import Span, Term, take_apart
from kltheory.calculus.symbols import VARIABLES


@dataclass(frozen=True)
class Word:
    """Gaps and marks in turn, gap first and last.

    Attributes:
        factor: a number.
        gaps: the factor at each position of the gap, one more than marks.
        marks: the function at each marked position.
    """

    factor: Expr
    gaps: tuple[Expr, ...]
    marks: tuple[Expr, ...]

    def as_term(self) -> Term:
        """As a term whose indices stand in this order."""
        last = len(self.marks) - 1
        chain = frozenset((i, i + 1) for i in range(last))
        spans = tuple(
            Span(i - 1 if i else None, i if i <= last else None, gap) for i, gap in enumerate(self.gaps) if gap != 1
        )
        return Term(self.factor, self.marks, chain, spans)


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


def settled(word: Word, counts: bool) -> Iterator[Word]:
    """The words that average to the same, without means that carry a gradient and without what an exact critic says.

    E[X · E_π[g s | past]] = E[E[X | past] g s], and E[X · E[future | token]] = E[X · future]: where what follows
    averages to a number, at the end of a word, or where all responses have one length and what follows only counts.

    Raises:
        Undecidable: a mean is differentiated in another place, or a critic is asked in another way.
    """
    place = next((n for n in reversed(range(len(word.marks))) if _is_open(word.marks[n])), None)
    if place is None:
        yield word
        return
    behind = (*word.gaps[place + 1 :], *word.marks[place + 1 :])
    ends = all(f in NORMALISED for f in behind) and (counts or place == len(word.marks) - 1)
    if not ends and word.marks[place].has(Carried):
        raise Undecidable("a mean over the vocabulary is differentiated before the end of what it multiplies")
    if not ends or (mark := _settled(word.marks[place])) == word.marks[place]:
        yield word
        return
    gaps = (*word.gaps[: place + 1], *(S.One for _ in word.gaps[place + 1 :]))
    marks = (*word.marks[:place], S.One, *(S.One for _ in word.marks[place + 1 :]))
    for term in take_apart(mark, place, replace(word, gaps=gaps, marks=marks).as_term()):
        for w in words(term):
            yield from settled(w, counts)


def _of_the_sample(f: Expr) -> bool:
    return bool(f.free_symbols & set(VARIABLES))


def _is_open(mark: Expr) -> bool:
    return mark.has(Carried, Ahead) or any(m.integrand.has(Ahead) for m in mark.atoms(Mean))


def _settled(mark: Expr) -> Expr:
    if carried := sorted(mark.atoms(Carried), key=str):
        (node,) = carried
        beside, (summand, own) = mark.coeff(node), node.args
        return _of_two_tokens(beside, summand, own) if beside.has(*SCORES) else own * mean(beside) * summand
    if not mark.has(*SCORES):
        mark = _averaged(mark)
    critics = {node: Dummy() for node in sorted(mark.atoms(Ahead), key=str)}
    asked = mark.xreplace(critics)
    if not critics:
        return mark
    if not asked.is_polynomial(*critics.values()) or Poly(asked, *critics.values()).total_degree() > 1:
        raise Undecidable(f"{mark} is not linear in what is to come")
    return mark.xreplace({node: future(node.summand) for node in critics})


def _of_two_tokens(beside: Expr, summand: Expr, own: Expr) -> Expr:
    """E[f s] E[g s'], f s what stands beside, where the tokens of s and s' are independent: by products of functions.

    Functions count modulo what is free of the token, since E[s] = 0.
    """
    other = next(s for s in SCORES if s != own)
    left, right = (
        {f: c for f, c in monomials(normal(g), _of_the_sample).items() if f != 1}
        for g in (beside.coeff(other), summand)
    )
    if left and (unclear := next((f for f in (*left, *right) if not is_product(f)), None)) is not None:
        raise Undecidable(f"whether {unclear} is independent of what stands beside a mean that moves is not known")
    pairs = ((f, g, c * d) for f, c in left.items() for g, d in right.items())
    in_order = other == SCORES[0]
    return Add(*(own * other * c * BothScored(*((f, g) if in_order else (g, f))) for f, g, c in pairs))


def _averaged(mark: Expr) -> Expr:
    """What has the same mean: E[1 · E[f]] = E[f], where f asks a critic."""
    parts = monomials(mark, lambda f: _of_the_sample(f) or f.has(Ahead))
    known = sum((parts.pop(f, S.Zero) for f in NORMALISED), S.Zero)
    asking = {m: m.integrand for m in known.atoms(Mean) if m.integrand.has(Ahead)}
    return Add(known.xreplace(asking), *(c * f for f, c in parts.items()))
