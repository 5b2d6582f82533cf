"""Theorem H beside exact sums over random trees: which combinations of words average to zero.

The conditions of a sum of words are linear in the numbers in front of them. Averages of each word over trees of
rational probabilities, for many trees, are linear in them too, and no rounding is anywhere: both must leave the same
combinations, so both have one rank, and together no higher one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import pytest
from sympy import QQ, Expr, S, Symbol, exp, lambdify
from sympy.polys.matrices import DomainMatrix

from kltheory.calculus.sequence.automaton import Automaton
from kltheory.calculus.sequence.loss import SCORES
from kltheory.calculus.sequence.series import Average, conditions
from kltheory.calculus.sequence.words import Word
from kltheory.calculus.symbols import log_ratio as l
from kltheory.calculus.symbols import log_weight as lw
from kltheory.calculus.symbols import logp

score, _ = SCORES
u, w, p = exp(l), exp(lw), exp(logp)
GAPS = [S.One, S.One, 1 / u, 1 / w, u, u / w]
MARKS = [S.One, u, 1 / u, w, 1 / w, p, u + 1 / w, u - 1, 1 / u - 1, p / u]

Tree = dict[tuple[int, ...], list[tuple[Fraction, Fraction, Fraction]]]
"""Each prefix that goes on, to π, π_ref and π_old of every next token; token 0 may end the response."""


def random_tree(random: Random, horizon: int, may_end: bool) -> Tree:
    """Probabilities with short denominators at every prefix."""
    size = random.choice((2, 3))

    def policy() -> list[Fraction]:
        weights = [random.randint(1, 9) for _ in range(size)]
        return [Fraction(x, sum(weights)) for x in weights]

    tree: Tree = {}
    todo: list[tuple[int, ...]] = [()]
    while todo:
        prefix = todo.pop()
        if len(prefix) < horizon and not (may_end and prefix and prefix[-1] == 0):
            tree[prefix] = list(zip(policy(), policy(), policy(), strict=True))
            todo += [(*prefix, a) for a in range(size)]
    return tree


@dataclass(frozen=True)
class Averaged:
    """The average of a word over a tree; ``parameter`` is the prefix and token whose logit is differentiated."""

    tree: Tree
    parameter: tuple[tuple[int, ...], int]

    def __call__(self, word: Word) -> Fraction:
        """By definition: every response, every choice of positions."""
        gaps, marks = (tuple(map(_function, fs)) for fs in (word.gaps, word.marks))
        return self._from((), 0, gaps, marks)

    def _from(self, prefix, place, gaps, marks) -> Fraction:
        row = self.tree.get(prefix)
        if row is None:
            return Fraction(place == len(marks))
        total = Fraction(0)
        for a, (pi, ref, old) in enumerate(row):
            at = (pi, pi / ref, pi / old, self._score(prefix, a))
            stay = gaps[place](*at)
            total += pi * stay * self._from((*prefix, a), place, gaps, marks) if stay else 0
            if place < len(marks) and (on := marks[place](*at)):
                total += pi * on * self._from((*prefix, a), place + 1, gaps, marks)
        return total

    def _score(self, prefix, a) -> Fraction:
        where, action = self.parameter
        return Fraction(a == action) - self.tree[prefix][action][0] if prefix == where else Fraction(0)


_KNOWN: dict[Expr, object] = {}


def _function(f: Expr):
    """A function of π, u, w and the score, in fractions."""
    names = {p: "P", u: "U", w: "W"}
    if f not in _KNOWN:
        symbols = {e: Symbol(n) for e, n in names.items()}
        plain = f.subs(symbols, simultaneous=True).together()
        numer, denom = (lambdify([*symbols.values(), score], part) for part in plain.as_numer_denom())
        _KNOWN[f] = lambda *at: Fraction(numer(*at)) / denom(*at)
    return _KNOWN[f]


def random_words(random: Random, scored: bool) -> Iterator[Word]:
    """Words of up to two marks; one of them scored, if any is."""
    for _ in range(10):
        marks = [random.choice(MARKS) for _ in range(random.choice((1, 2, 2)) if scored else random.choice((0, 1, 2)))]
        if scored:
            place = random.randrange(len(marks))
            marks[place] = (marks[place] * score).expand()
        gaps = [random.choice(GAPS) for _ in range(len(marks) + 1)]
        yield Word(S.One, tuple(gaps), tuple(marks))


def rank(rows: list[list[Fraction]]) -> int:
    return DomainMatrix(
        [[QQ(x.numerator, x.denominator) for x in row] for row in rows], (len(rows), len(rows[0])), QQ
    ).rank()


def condition_rows(words: list[Word], over: Average) -> list[list[Fraction]]:
    """What stands in front of each word in every condition."""
    rows = []
    for condition in conditions(Automaton.of(words), over):
        row = [Fraction(0)] * len(words)
        for (n, _), x in condition.counted.items():
            row[n] += Fraction(int(x.numerator), int(x.denominator))
        rows.append(row)
    return rows


def tree_rows(words: list[Word], over: Average, random: Random, scored: bool) -> list[list[Fraction]]:
    rows = []
    for _ in range(4 * len(words)):
        tree = random_tree(random, random.choice((1, 2, 3, 4)), over is Average.RANDOM_LENGTH)
        prefix = random.choice(sorted(tree)[: 1 + len(tree) // 2])
        averaged = Averaged(tree, (prefix, random.randrange(len(tree[prefix]))))
        rows.append([averaged(word) for word in words])
    return rows


def ranks(words: list[Word], over: Average, random: Random, scored: bool) -> set[int]:
    """Of the conditions, of the averages, and of both together."""
    wanted, found = condition_rows(words, over), tree_rows(words, over, random, scored)
    return {rank(wanted), rank(found), rank(wanted + found)}


AVERAGES = [Average.RANDOM_LENGTH, Average.ONE_LENGTH]


@pytest.mark.parametrize("scored", [False, True], ids=["values", "gradients"])
@pytest.mark.parametrize("over", AVERAGES, ids=["random length", "one length"])
@pytest.mark.parametrize("seed", range(4))
def test_the_conditions_leave_what_trees_leave(over, scored, seed):
    random = Random(f"{seed} {scored} {over}")
    words = list(dict.fromkeys(random_words(random, scored)))
    assert len(ranks(words, over, random, scored)) == 1


TELESCOPING = [Word(S.One, (r, S.One), (r - 1,)) for r in (1 / u, u / w)]
"""Σ_t Π_{i<t} r_i (r_t - 1) = Π r_i - 1 on every response, and here is what it is."""
ENDS = [Word(S.One, (g,), ()) for g in (1 / u, u / w, S.One)]


@pytest.mark.parametrize("over", AVERAGES, ids=["random length", "one length"])
def test_telescoping_sums_and_the_mean_of_the_reference_are_found(over):
    """Five words, two sums that telescope, and E Π 1/u = 1: two are left."""
    assert ranks([*TELESCOPING, *ENDS], over, Random(0), False) == {2}


def test_one_length_leaves_more_than_random_length_does():
    """E Π 2/u = 2^N only where N is no random number: the conditions of the other kind are wrong."""
    powers = [Word(S.One, (2 / u,), ()), Word(S.One, (S(2),), ())]
    assert [ranks(powers, over, Random(0), False) for over in AVERAGES] == [{2}, {1}]
