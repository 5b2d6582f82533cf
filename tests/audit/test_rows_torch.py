"""Rows of PyTorch functions against sums through them: what public code writes that JAX has no twin of."""

from typing import Any

import pytest
import row_oracle

from kltheory.audit.audit import audit
from kltheory.audit.codes import Code
from kltheory.audit.target import of_function

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
F = torch.nn.functional


def kl_div(log_probs: Any, ref_log_probs: Any) -> Any:
    return F.kl_div(log_probs, ref_log_probs, reduction="none", log_target=True).sum(-1)


def kl_div_the_other_way(log_probs: Any, ref_log_probs: Any) -> Any:
    return F.kl_div(ref_log_probs, log_probs, reduction="none", log_target=True).sum(-1)


def batchmean(logits: Any, ref_logits: Any) -> Any:
    return F.kl_div(F.log_softmax(logits, -1), F.softmax(ref_logits, -1), reduction="batchmean")


def mixture(student_logits: Any, teacher_logits: Any, beta: float = 0.5) -> Any:
    s, t = F.log_softmax(student_logits, -1), F.log_softmax(teacher_logits, -1)
    b = torch.tensor(beta, dtype=s.dtype)
    m = torch.logsumexp(torch.stack([s + torch.log1p(-b), t + torch.log(b)]), dim=0)
    first, second = (F.kl_div(m, x, reduction="none", log_target=True) for x in (t, s))
    return (beta * first + (1 - beta) * second).sum(-1)


def distributions(logits: Any, ref_logits: Any) -> Any:
    p, q = (torch.distributions.Categorical(logits=x) for x in (logits, ref_logits))
    return torch.distributions.kl_divergence(p, q)


def top_k(logits: Any, ref_logits: Any) -> Any:
    lp, lq = F.log_softmax(logits, -1), F.log_softmax(ref_logits, -1)
    top, indices = lp.topk(2, dim=-1)
    return (top.exp() * (top - lq.gather(-1, indices))).sum(-1)


def in_place(logp: Any, ref_logp: Any) -> Any:
    d = logp - ref_logp
    d.mul_(2)
    return d**2 / 8


def weighted_and_clamped(log_prob: Any, ref_log_prob: Any, old_log_prob: Any) -> Any:
    ratio = torch.exp(torch.clamp(log_prob - old_log_prob, -20, 20))
    d = torch.clamp(ref_log_prob - log_prob, -20, 20)
    return ratio * torch.clamp(torch.exp(d) - d - 1, -10, 10)


def truncated(log_prob: Any, ref_log_prob: Any, rollout_log_probs: Any) -> Any:
    w = torch.exp(log_prob.detach() - rollout_log_probs).clamp(max=2.0)
    return w * (log_prob - ref_log_prob) ** 2 / 2


class OtherGradient(torch.autograd.Function):
    """The value of k3, the derivative of k2."""

    @staticmethod
    def forward(ctx: Any, logp: Any, ref: Any) -> Any:
        ctx.save_for_backward(logp, ref)
        return torch.exp(ref - logp) - 1 - (ref - logp)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        logp, ref = ctx.saved_tensors
        return g * (logp - ref), None


def opaque(logp: Any, ref_logp: Any) -> Any:
    return OtherGradient.apply(logp, ref_logp)


class Penalty(torch.nn.Module):
    """An estimator object."""

    def forward(self, log_probs: Any, ref_log_probs: Any) -> Any:
        return F.smooth_l1_loss(log_probs, ref_log_probs, reduction="none")


def two(f: Any) -> Any:
    return lambda p, r, o: f(p, r)


ROWS: dict[str, tuple[Any, Any, bool, str, str]] = {
    "kl_div": (kl_div, two(kl_div), True, "forward_kl", "derived"),
    "kl_div_the_other_way": (kl_div_the_other_way, two(kl_div_the_other_way), True, "reverse_kl", "derived"),
    "batchmean": (batchmean, lambda p, r, o: batchmean(p[None], r[None]), True, "forward_kl", "derived"),
    "mixture": (mixture, two(mixture), True, "jensen_shannon", "derived"),
    "distributions": (distributions, two(distributions), True, "reverse_kl", "derived"),
    "top_k": (top_k, two(top_k), True, "none", "measured"),
    "in_place": (in_place, two(in_place), False, "reverse_kl", "derived"),
    "weighted_and_clamped": (weighted_and_clamped, weighted_and_clamped, False, "reverse_kl", "derived"),
    "truncated": (truncated, truncated, False, "reverse_kl", "derived"),
    "opaque": (opaque, two(opaque), False, "reverse_kl", "measured"),
    "module": (Penalty(), two(Penalty()), False, "reverse_kl", "derived"),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "top_k" else n for n in ROWS])
def test_rows_are_what_a_sum_through_the_running_function_gives(name: str) -> None:
    function, call, summed, gradient_of, how = ROWS[name]
    found = audit(of_function(function, framework="torch")).variants[0]
    assert (found.failure, found.undecided) == ("", [])
    rows = [r.to_json() for r in found.rows]
    assert (rows[0]["gradient_of"], rows[0]["how"]) == (gradient_of, how)
    assert row_oracle.disagreements(rows, call, "torch", summed, 1e-9 if how == "derived" else 1e-6) == []
    assert row_oracle.tested(rows) >= 2 or gradient_of == "none"


def test_a_mean_over_the_vocabulary_is_an_alarm() -> None:
    def mean(log_probs: Any, ref_log_probs: Any) -> Any:
        return F.kl_div(log_probs, ref_log_probs, reduction="none", log_target=True).mean()

    found = audit(of_function(mean, framework="torch")).variants[0]
    assert found.of(Code.VOCABULARY_MEAN)
