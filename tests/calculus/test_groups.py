"""Groups: means given the outcome by counting every group of three, and a group that is not what it seems."""

from itertools import product

import pytest
from sympy import Rational, S, Symbol, expand

from kltheory.calculus.groups import failure_rate, group, of_failure, of_success, success_rate
from kltheory.calculus.surrogate import Sampler, Surrogate
from kltheory.calculus.symbols import inside, logp, sg

p = Symbol("p")
NUMBERS = [Symbol(f"a_{k}") for k in range(4)]


def counted(own: int) -> object:
    """E[a(K) | r_1 = own] over the two others, one after the other."""
    others = product((0, 1), repeat=2)
    return sum(p ** sum(rest) * (1 - p) ** (2 - sum(rest)) * NUMBERS[own + sum(rest)] for rest in others)


@pytest.mark.parametrize(("given", "own"), [(of_success, 1), (of_failure, 0)])
def test_means_given_the_outcome_by_counting(given, own):
    found = given(3, NUMBERS.__getitem__).xreplace({success_rate: p})
    assert expand(found - counted(own)) == 0
    assert expand(found - counted(1 - own)) != 0


def test_a_constant_advantage_ascends_nothing_and_the_reward_the_success_rate():
    nothing, target = Surrogate(S.Zero), Surrogate(success_rate)
    both = group(4, lambda k: Rational(7), lambda k: Rational(7))
    reward = group(4, lambda k: S.One, lambda k: S.Zero)

    def same(left: Surrogate, right: Surrogate) -> bool:
        return left.coefficient(Sampler.POLICY).equals(right.coefficient(Sampler.POLICY))

    assert same(both, nothing)
    assert not same(reward, nothing)
    assert same(reward, target)
    assert same(reward, Surrogate(sg(inside) * logp))
    assert not same(failure_rate * reward, target)
