"""The four attacks: for each seed a question, what the package answers, and what an oracle has to say to the answer.

``identify`` asks what random formulas descend, ``decide`` whether random claims about one step hold, ``sequences`` the
same of whole responses, ``pipeline`` asks every engine at once. An oracle shares no code with the package: it evaluates
texts in dual numbers of many digits, and sums over whole settings and trees.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from fuzz import enumerated, evidence
from fuzz.case import Case
from fuzz.claims import case
from fuzz.complaint import DEEP, PRECISIONS, Complaint
from fuzz.formulas import formula
from fuzz.loss import Loss
from fuzz.response_case import ResponseCase
from fuzz.responses import response_case
from fuzz.rows import check

from kltheory.calculus.domain import Undefined
from kltheory.calculus.exact import Undecidable
from kltheory.calculus.formula.error import FormulaError
from kltheory.proving.run import Report, run
from kltheory.proving.theorem import Theorem
from kltheory.report.identification import identify_text


@dataclass(frozen=True)
class Question:
    """What is asked, in words; how; the kind of an answer; and what is wrong with one."""

    asked: str
    answer: Callable[[], Any]
    kind: Callable[[Any], str]
    complaints: Callable[[Any], Iterator[Complaint]]


@dataclass(frozen=True)
class Trial:
    """An answer to a question: its kind, why it is none, and what is wrong with it."""

    kind: str
    why: str
    complaints: tuple[Complaint, ...] = ()


NO_ANSWER: Final[Mapping[type[Exception], str]] = {FormulaError: "refused", Undecidable: "undecided"}


def put(question: Question) -> Trial:
    """Ask, and let the oracle look at the answer. What is raised without being an answer is a complaint."""
    try:
        found = question.answer()
    except tuple(NO_ANSWER) as e:
        return Trial(next(kind for t, kind in NO_ANSWER.items() if isinstance(e, t)), str(e))
    except Exception as e:
        return Trial("crash", str(e), (Complaint("crash", type(e).__name__, str(e)),))
    return Trial(question.kind(found), "", tuple(question.complaints(found)))


# --- formulas ---------------------------------------------------------------------------------------------------------
PLACES: Final = (("loss", "detached"), ("loss", "live"), ("reward", "none"), ("reward", "detached"))


def identify(seed: int) -> Iterator[Question]:
    """A formula, placed in two ways."""
    r = Random(seed)
    typed = formula(r)
    for place in (("loss", "none"), r.choice(PLACES)):
        loss = Loss(typed, *place)
        yield Question(str(loss), lambda loss=loss: _identified(loss), _shape, lambda a, loss=loss: check(loss, a, r))


def _identified(loss: Loss) -> dict[str, Any]:
    answer = identify_text(loss.typed, loss.placement, loss.weight)
    answer.plain()  # is not to fail where JSON does not
    return answer.to_json()


def _shape(answer: Mapping[str, Any]) -> str:
    if answer["undefined"]:
        return "undefined"
    return "shape undecided" if any(row["reason"] or row["sampler_reason"] for row in answer["rows"]) else "identified"


# --- claims -----------------------------------------------------------------------------------------------------------
def decide(seed: int) -> Iterator[Question]:
    """A claim about one step."""
    c = case(Random(seed))
    yield Question(str(c), lambda: decision(c), str, lambda found: about_step(c, found, seed))


def sequences(seed: int) -> Iterator[Question]:
    """A claim about whole responses."""
    c = response_case(Random(seed))
    yield Question(str(c), lambda: decision(c), str, lambda found: about_responses(c, found, seed))


def decision(c: Case | ResponseCase) -> str:
    """What the calculus alone says."""
    try:
        return "yes" if c.claim().decide() else "no"
    except Undefined:
        return "undefined"


SEARCHES: Final[tuple[tuple[int, Sequence[int]], ...]] = ((1, PRECISIONS), (2, PRECISIONS), (2, DEEP))
"""With how much effort and how many digits evidence is looked for: the first against a yes, in turn for a no."""


def about_step(
    c: Case, found: str, seed: int, searches: Sequence[tuple[int, Sequence[int]]] = SEARCHES
) -> Iterator[Complaint]:
    """What is wrong with yes, no or undefined."""
    nowhere = evidence.undefined(c, Random(seed))
    if found == "undefined":
        if not nowhere:
            yield Complaint("undefined", found, "no place without a value is found")
    elif nowhere:
        yield Complaint("defined", found, f"no value of {nowhere}")
    else:
        tried = searches[:1] if found == "yes" else searches
        against = (evidence.against(c, Random(seed), effort, digits) for effort, digits in tried)
        yield from _against(found, next(filter(None, against), ""))


def about_responses(c: ResponseCase, found: str, seed: int) -> Iterator[Complaint]:
    """What is wrong with yes or no."""
    if found != "undefined":
        yield from _against(found, enumerated.against(c, Random(seed), 1 if found == "yes" else 2))


def _against(found: str, evidence: str) -> Iterator[Complaint]:
    if found == "yes" and evidence:
        yield Complaint("yes", found, evidence)
    if found == "no" and not evidence:
        yield Complaint("no", found, "nothing against it is found")


# --- every engine -----------------------------------------------------------------------------------------------------
def pipeline(seed: int) -> Iterator[Question]:
    """A claim of either kind as a theorem."""
    r = Random(seed)
    c = case(r) if r.random() < 0.7 else response_case(r)
    yield Question(str(c), lambda: proved(c), _verdict, lambda report: about_report(c, report, seed))


def proved(c: Case | ResponseCase) -> Report:
    """The report of all engines and mutants."""
    return run(Theorem("random", "random", c.claim))


def _verdict(report: Report) -> str:
    return report.verdict.value


SAYS: Final = {"PROVED": "yes", "REFUTED": "no"}


def about_report(c: Case | ResponseCase, report: Report, seed: int) -> Iterator[Complaint]:
    """What is wrong with a verdict."""
    if report.verdict.value == "REFUTED" and report.witness is None:
        yield Complaint("witness", "REFUTED", "without a witness")
    if found := SAYS.get(report.verdict.value):
        yield from (about_step if isinstance(c, Case) else about_responses)(c, found, seed)


ATTACKS: Final[Mapping[str, Callable[[int], Iterator[Question]]]] = {
    f.__name__: f for f in (identify, decide, sequences, pipeline)
}
