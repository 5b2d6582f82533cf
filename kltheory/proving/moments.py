"""Claims about means over the vocabulary: identities, variances of gradients, bounds, signs on an exact setting."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain

from sympy import Expr, S, exp

from kltheory.calculus.concrete import at_action
from kltheory.calculus.exact import Undecidable, is_zero
from kltheory.calculus.moments import E, Mean, formulas, trace_variance
from kltheory.calculus.notation import text
from kltheory.calculus.relations import same_moment
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import VARIABLES, inside, log_weight
from kltheory.numerics.bridge import NotNumeric
from kltheory.numerics.certificate import Certificate, Numbers
from kltheory.numerics.rational import RationalSetting, small_settings
from kltheory.numerics.witness import certified_moment, gradient, moment, search
from kltheory.proving.claims import SAMPLED, formula
from kltheory.proving.scalars import HasSign


@dataclass(frozen=True)
class SameMoment:
    """Two formulas in means over the vocabulary are the same number in every setting."""

    left: Expr
    right: Expr

    def decide(self) -> bool:
        """Whether both are the same polynomial in atoms E_π[π^k u^a w^b l^m ...]."""
        return same_moment(self.left, self.right)

    def __str__(self) -> str:
        return f"{text(self.left)} = {text(self.right)}"


@dataclass(frozen=True)
class TraceVariance:
    """The covariance matrix, in logits, of one sample's gradient of a surrogate has this trace."""

    left: Surrogate
    right: Expr
    sampler: Sampler

    def decide(self) -> bool:
        """Whether E[c²‖∇log π‖²] - ‖E[c ∇log π]‖², c the score's factor, is that number."""
        cells = self.left.score(self.sampler).cells
        if len(cells) != 1:
            raise Undecidable("the gradient has several cells")
        weight = S.One if self.sampler is Sampler.POLICY else exp(log_weight)
        return same_moment(trace_variance(cells[0][1], weight), self.right)

    def __str__(self) -> str:
        score = self.left.score(self.sampler)
        return f"tr Var[({score}) ∇log π] = {text(self.right)}, {SAMPLED[self.sampler]}"


@dataclass(frozen=True)
class GradientBound:
    """‖E[∇s]‖ ≤ √2 E_π[bound] in logits, whatever the vocabulary."""

    left: Surrogate
    bound: Expr
    sampler: Sampler

    def decide(self) -> bool:
        """Whether |C - b| ≤ bound for a number b; a setting with a longer gradient, certified, is a *no*.

        ‖E_π[(C - b) ∇log π]‖ ≤ E_π[|C - b| ‖∇log π‖], and ‖∇log π‖ ≤ √2 in logits.

        Raises:
            Undecidable: neither is found.
        """
        if self.counterexample() is not None:
            return False
        c = formula(self.left, self.sampler)
        for b in (S.Zero, c.as_independent(*VARIABLES)[0]):
            if HasSign(self.bound - c + b, 1).decide() and HasSign(self.bound + c - b, 1).decide():
                return True
        raise Undecidable("the bound does not hold for each action by itself, and no setting contradicts it")

    def counterexample(self) -> Certificate | None:
        """A small setting on which the gradient is certainly longer."""
        components, mean = gradient(self.left, self.sampler), moment(E(self.bound))

        def square(setting: RationalSetting) -> Numbers:
            return {None: sum(x * x for x in components(setting).values())}

        def most(setting: RationalSetting) -> Numbers:
            return {None: 2 * mean(setting)[None] ** 2}

        try:
            return search("the square of the length".format, (square, most), sign=1)
        except NotNumeric:  # it has parameters
            return None

    def __str__(self) -> str:
        return f"‖E[({formula(self.left, self.sampler)}) ∇log π]‖ ≤ √2 E[{text(self.bound)}]"


@dataclass(frozen=True)
class OnTwoActions:
    """An identity that holds at V = 2, in means and in values at each of the two actions."""

    left: Expr
    right: Expr

    def decide(self) -> bool:
        """Whether it is an identity in the two logits, for every set S."""
        return all(is_zero(at_action(self.left - self.right, 2, 0, members)) for members in self.sets())

    def sets(self) -> list[tuple[int, ...]]:
        """The sets that ``inside`` may speak of, the first of which is that of the other engines."""
        free = {s for e in formulas(self.left - self.right) for s in e.free_symbols}
        return [(0,), (1,), (), (0, 1)] if inside in free else [(0,)]

    def __str__(self) -> str:
        return f"{text(self.left)} = {text(self.right)} at V = 2"


@dataclass(frozen=True)
class SignAt:
    """A formula in means, and values at single actions, has a sign on one exact setting, certified in balls."""

    left: Expr
    sign: int
    policy: str
    reference: str

    def setting(self) -> RationalSetting:
        """The setting; its old policy lies half way between the two, its advantages are zero."""
        policy, reference = (tuple(map(Fraction, p.split())) for p in (self.policy, self.reference))
        return RationalSetting.between(policy, reference)

    def decide(self) -> bool:
        """Whether an enclosure has that sign."""
        found = certified_moment(self.left, self.setting())
        if found is None:
            raise Undecidable("no enclosure separates it from zero")
        return found.is_positive == (self.sign > 0)

    def __str__(self) -> str:
        sign = ">" if self.sign > 0 else "<"
        return f"{text(self.left)} {sign} 0 at policy ({self.policy}), reference ({self.reference})"


@dataclass(frozen=True)
class AlwaysSign:
    """A formula in means has this sign, or is zero, in every setting; ``tried`` are settings worth a look first."""

    left: Expr
    sign: int
    tried: tuple[tuple[str, str], ...] = field(default=())

    def decide(self) -> bool:
        """Whether the integrand has the sign everywhere; a setting with the other sign, certified, is a *no*."""
        if self.counterexample() is not None:
            return False
        means = self.left.atoms(Mean)
        integrand = self.left.xreplace({m: m.integrand for m in means})
        if not all(self.left.diff(m).is_Rational for m in means) or integrand.has(Mean):
            raise Undecidable("it is not linear in means, and no setting contradicts it")
        if not all(HasSign(integrand.xreplace({inside: S(b)}), self.sign).decide() for b in (0, 1)):
            raise Undecidable("its integrand changes sign, and no setting contradicts it")
        return True

    def counterexample(self) -> Certificate | None:
        """A setting, one of those tried or a small one, on which the sign is certainly the other one."""
        tried = (SignAt(self.left, -self.sign, *columns).setting() for columns in self.tried)
        for setting in chain(tried, small_settings()):
            if found := certified_moment(self.left, setting, -self.sign):
                return found
        return None

    def __str__(self) -> str:
        return f"{text(self.left)} {'≥' if self.sign > 0 else '≤'} 0 in every setting"
