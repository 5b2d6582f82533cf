"""The bridge to logits, proved for symbolic V from the definition of softmax, π_i = exp(θ_i)/Σ_k exp(θ_k).

Everything else in the library speaks of coefficients. These three lemmas say what a coefficient does to the logits,
for every vocabulary size.
"""

from kltheory.proving.vocabulary import *

SOURCE = "softmax, by the chain rule"


@theorem(source=SOURCE)
def score_in_logits():
    """∂log π_i/∂θ_j = δ_ij - π_j."""
    return Lemma("score", *lemmas()["score"])


@theorem(source=SOURCE)
def mean_score_eq_zero():
    """E_π[∇log π] = 0: constants in a coefficient do not matter."""
    return Lemma("mean_score", *lemmas()["mean_score"])


@theorem(source=SOURCE)
def gradient_of_coefficient_in_logits():
    """E_π[C ∂log π/∂θ_j] = π_j (C_j - E_π C)."""
    return Lemma("coefficient", *lemmas()["coefficient"])


if __name__ == "__main__":
    from kltheory.cli import main

    raise SystemExit(main(["prove", __file__]))
