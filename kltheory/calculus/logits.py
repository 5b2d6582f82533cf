"""The bridge from log-probabilities to logits, proved from the definition of softmax: for symbolic V, and concretely.

With π_i = e^(θ_i)/Σ_k e^(θ_k):   (1) ∂log π_i/∂θ_j = δ_ij - π_j   (2) E_π[∇log π] = 0   (3) E_π[C ∂log π/∂θ_j] =
π_j (C_j - E_π C). Bound indices are always fresh dummies, because substituting into a ``Sum`` captures them.
"""

from functools import cache
from typing import Final

from sympy import Add, Dummy, Expr, IndexedBase, KroneckerDelta, Mul, Sum, Symbol, exp, expand, log

V: Final = Symbol("V", integer=True, positive=True)
theta: Final = IndexedBase("theta", real=True)
C: Final = IndexedBase("C", real=True)


def fresh(name: str = "i") -> Dummy:
    """An index over the vocabulary that occurs nowhere else."""
    return Dummy(name, integer=True)


def total(term: Expr, i: Dummy) -> Expr:
    """Σ_i term over the vocabulary, by linearity: factors free of i come out, ranged deltas collapse."""
    result = Add()
    for part in Add.make_args(expand(term)):
        outside, inside = part.as_independent(i, as_Add=False)
        delta = next((d for d in Mul.make_args(inside) if isinstance(d, KroneckerDelta)), None)
        if delta is not None:
            j = delta.args[1] if delta.args[0] == i else delta.args[0]
            result += outside * inside.xreplace({i: j})  # δ_jj is 1
        else:
            result += outside * named_sum(inside, i)
    return result


@cache
def _bound(summand: Expr, marker: Dummy) -> Sum:
    k = fresh("k")
    return Sum(summand.xreplace({marker: k}), (k, 1, V))


_MARKER: Final = fresh("marker")


def named_sum(summand: Expr, i: Dummy) -> Sum:
    """Σ_i summand, the same object for the same summand whatever the index is called (alpha-equivalence)."""
    return _bound(summand.xreplace({i: _MARKER}), _MARKER)


def partition() -> Sum:
    """Z = Σ_k e^(θ_k)."""
    i = fresh()
    return named_sum(exp(theta[i]), i)


def softmax(i: Dummy) -> Expr:
    """π_i."""
    return exp(theta[i]) / partition()


def differentiate(expr: Expr, j: Dummy) -> Expr:
    """∂/∂θ_j by the chain rule, the derivative of Z from its sum: Σ_k δ_kj e^(θ_k)."""
    z, (k, _, _) = partition(), partition().limits[0]
    held = Dummy("Z", positive=True)
    free = expr.xreplace({z: held})
    dz = total(_delta_diff(z.function, j), k)
    return (_delta_diff(free, j) + free.diff(held) * dz).xreplace({held: z})


def _delta_diff(expr: Expr, j: Dummy) -> Expr:
    """SymPy's derivative by an indexed symbol, every Kronecker delta ranged over the vocabulary."""
    return expr.diff(theta[j]).replace(KroneckerDelta, lambda a, b, *_: KroneckerDelta(a, b, (1, V)))


def lemmas() -> dict[str, tuple[Expr, Expr]]:
    """The three statements as pairs of sides; :func:`prove_lemmas` checks that they expand to the same thing."""
    i, j = fresh("i"), fresh("j")
    score = differentiate(theta[i] - log(partition()), j)
    stated = KroneckerDelta(i, j, (1, V)) - softmax(j)
    return {
        "score": (score, stated),
        "mean_score": (total(softmax(i) * stated, i), Add()),
        "coefficient": (
            total(softmax(i) * C[i] * stated, i),
            softmax(j) * (C[j] - total(softmax(i) * C[i], i)),
        ),
    }


def prove_lemmas() -> dict[str, bool]:
    """Each lemma, decided for symbolic V."""
    return {name: expand(left - right) == 0 for name, (left, right) in lemmas().items()}
