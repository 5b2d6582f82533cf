"""When is a sum of words zero on average, for every vocabulary, every policy and every length?

A sum of words is a rational power series over letters (M.-P. Schützenberger 1961): a string y has a number S(y) in
front. Different strings are different functions of the path, rows at different prefixes are free, and at one prefix
only the policy, the reference and the old policy sum to one. So, with M(y) the sum of S(ya) E[a] over the letters a:

- responses of random length: M(y) = S(y) after every string, S(empty) being 0, and in M(y) no mean but 1 is left;
- responses of one length: the same where S is completed from the end, by M again and again, down to S(empty) = 0;
- a score counts modulo functions of its past: the strings are those after the last one, and where nothing follows it
  only letters that are functions of the token have to vanish.

The strings are infinitely many, the vectors that they reach in an automaton are not (S. Eilenberg 1974, W.-G. Tzeng
1992). Proofs: docs/decision.md, theorem H.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from sympy import Expr, S, Symbol

from kltheory.calculus.exact import Undecidable
from kltheory.calculus.moments import is_product
from kltheory.calculus.sequence.automaton import Automaton, Reached, Vector, completed, difference, parts
from kltheory.calculus.sequence.language import SUMS
from kltheory.calculus.sequence.letters import Letter, is_of_the_past
from kltheory.calculus.sequence.words import Word


class Average(Enum):
    """What is averaged over: responses of random length, of one length, or nothing: every response by itself."""

    RANDOM_LENGTH = "random"
    ONE_LENGTH = "one"
    NOTHING = "none"


@dataclass(frozen=True)
class Condition:
    """What has to be zero: what stands in front of something after a string of letters.

    Attributes:
        string: the letters.
        before: what it stands in front of: 1, a mean of what comes next, or a letter with the last score.
        counted: the parts of the number, by the word they come from.
    """

    string: tuple[Letter, ...]
    before: Expr
    counted: Vector

    @property
    def holds(self) -> bool:
        """Whether the number is zero."""
        return not sum(self.counted.values())

    def __str__(self) -> str:
        after = " ".join(f"({letter})" for letter in self.string)
        return f"{sum(self.counted.values())} in front of {self.before}{f', after {after}' if after else ''}"


def remainder(words: Sequence[Word], over: Average) -> Condition | None:
    """A condition that fails, for the average of a sum of words to be zero; ``None`` if it is zero.

    Raises:
        Undecidable: one fails, and a letter is not known to be independent of the others.
    """
    automaton = Automaton.of(words)
    failing = next((c for c in conditions(automaton, over) if not c.holds), None)
    if failing is not None:
        for letter in automaton.steps:
            if letter.of_token.has(*SUMS) or not is_product(letter.of_row, is_of_the_past):
                raise Undecidable(f"whether {letter} is independent of the other letters is not known")
        for product in {p for average in automaton.averages.values() for p in average}:
            if not is_product(product, is_of_the_past):
                raise Undecidable(f"whether {product} is independent of other means is not known")
    return failing


def conditions(automaton: Automaton, over: Average) -> Iterator[Condition]:
    """All that has to be zero; strings that follow from others are left out."""
    letters, start = list(automaton.steps), (automaton.start, ())
    if over is Average.NOTHING:
        for row, string in automaton.closure([start], letters):
            yield Condition(string, S.One, parts(row, automaton.final))
        return
    columns = [automaton.final] if over is Average.RANDOM_LENGTH else completed(automaton)
    question = _Question(automaton, columns, over is Average.RANDOM_LENGTH)
    scores = frozenset[Symbol]().union(*(letter.scores for letter in letters))
    if scores:
        yield from question.after([start], scores)
        return
    for column in columns:
        yield Condition((), S.One, parts(automaton.start, automaton.averaged(column)[S.One]))
    yield from question.of_means(start, False)
    yield from question.after([(automaton.read(automaton.start, letter), (letter,)) for letter in letters], scores)


@dataclass(frozen=True)
class _Question:
    """``columns``: how states count where the response ends, at once or after any number of letters."""

    automaton: Automaton
    columns: list[Vector]
    may_end: bool

    def after(self, rows: Sequence[Reached], scores: frozenset[Symbol]) -> Iterator[Condition]:
        """The conditions once these vectors are reached, with these scores still to come."""
        a = self.automaton
        reached = a.closure(rows, [letter for letter in a.steps if not letter.scores])
        if not scores:
            for vector in reached:
                yield from self.of_means(vector, self.may_end)
        for letter in (letter for letter in a.steps if letter.scores and letter.scores <= scores):
            behind = a.closure([(a.read(row, letter), (*string, letter)) for row, string in reached], [])
            if letter.scores == scores and (letter.of_token != 1 or len(scores) > 1):
                for row, string in behind:
                    yield from (Condition(string[:-1], Symbol(str(letter)), parts(row, c)) for c in self.columns)
            yield from self.after(behind, scores - letter.scores)

    def of_means(self, reached: Reached, may_end: bool) -> Iterator[Condition]:
        """No mean but 1 is left once the next letter is averaged, and that is what counts where nothing follows."""
        row, string = reached
        for column in self.columns:
            for means, counted in self.automaton.averaged(column).items():
                if means != 1:
                    yield Condition(string, means, parts(row, counted))
                elif may_end:
                    yield Condition(string, means, parts(row, difference(counted, column)))
