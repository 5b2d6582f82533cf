"""PyTorch functions of the shapes people have, as rows: the function, the shape of its inputs, its configuration."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make test` installs it")
F = torch.nn.functional


@dataclass(frozen=True)
class Case:
    """A function, the shape of its inputs and its configuration."""

    fn: Callable[..., Any]
    shape: tuple[int, ...]
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "-".join([self.fn.__name__, *(str(v) for v in self.config.values() if isinstance(v, (str, float)))])


CASES: list[Case] = []


def case(shape: tuple[int, ...] = (3,), **config: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def add(fn: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append(Case(fn, shape, config))
        return fn

    return add


MASK = torch.tensor([[True, True, False], [True, False, True]])
LABELS = torch.tensor([[2, 0], [1, 1]])


@case(kind="k1")
@case(kind="k2")
@case(kind="k3")
@case(kind="abs")
@case(kind="k3", clamp=0.5)
def selector(logp, ref, old, kind, clamp=None):
    delta = ref - logp
    if clamp is not None:
        delta = torch.clamp(delta, min=-clamp, max=clamp)
    if kind == "k1":
        return -delta
    if kind == "k2":
        return delta.square() * 0.5
    if kind == "abs":
        return delta.abs()
    return (torch.exp(delta) - 1).sub_(delta)


@case(kind="low_var_kl")
@case(kind="low_var_kl+")
@case(kind="mse+")
def straight_through_selector(logp, ref, old, kind):
    """verl's: the value of one estimator and the gradient of k2."""

    def forward(kind):
        if kind == "mse":
            return 0.5 * (logp - ref) ** 2
        kl = torch.clamp(ref - logp, min=-20, max=20)
        return torch.clamp((torch.exp(kl) - kl - 1).contiguous(), min=-10, max=10)

    score = forward(kind.removesuffix("+"))
    if not kind.endswith("+"):
        return score
    backward = forward("mse")
    return backward - backward.detach() + score.detach()


@case((2, 3))
def masked_mean(logp, ref, old):
    mask = MASK.float()
    return ((logp - ref) * mask).sum() / mask.sum()


@case((2, 3), mode="token-mean")
@case((2, 3), mode="seq-mean-token-sum")
@case((2, 3), mode="seq-mean-token-mean")
def aggregate(logp, ref, old, mode):
    losses, mask = (logp - ref).exp() - 1, MASK.to(logp.dtype)
    if mode == "token-mean":
        return torch.sum(losses * mask) / mask.sum().clamp(min=1.0)
    rows = torch.sum(losses * mask, dim=-1)
    if mode == "seq-mean-token-mean":
        rows = rows / (mask.sum(dim=-1) + 1e-8)
    return rows.mean()


@case((2, 3))
def masked_select_mean(logp, ref, old):
    return torch.masked_select((logp - ref) ** 2, MASK).mean() + logp[MASK][1:].mean() + ref[~MASK].sum()


@case((2, 3))
def mean_of_rows(logp, ref, old):
    return torch.mean((logp * (logp - ref).detach()).mean(dim=1, keepdim=True) * ref, dim=-1)


@case()
def detached_reference(logp, ref, old):
    return logp - ref.detach()


@case()
def in_reward(logp, ref, old):
    return (logp - ref).detach() * logp


@case()
def in_reward_under_no_grad(logp, ref, old):
    with torch.no_grad():
        kl = (logp - ref).exp_().add_(1)
    return kl * logp


@case()
def in_reward_under_inference_mode(logp, ref, old):
    with torch.inference_mode():
        kl = torch.matmul(logp, ref) + (logp - ref).reshape(3, 1).squeeze(-1)
    return kl.clone() * logp


@case()
@torch.no_grad()
def decorated_with_no_grad(logp, ref, old):
    return (ref - logp).exp()


@case()
def data(logp, ref, old):
    return logp * (logp.data - ref)


@case()
def requires_no_grad(logp, ref, old):
    ref.requires_grad_(False)
    old.requires_grad = False
    return (logp - ref) * torch.exp(logp - old)


@case()
def detach_in_place(logp, ref, old):
    weight = torch.exp(logp - old)
    weight.detach_()
    return weight * (logp - ref)


@case()
def straight_through(logp, ref, old):
    x = torch.exp(ref - logp)
    return x + (x.clamp(0.7, 1.4) - x).detach()


@case(eps=0.2)
def ppo_clip(logp, ref, old, eps):
    ratio, advantages = torch.exp(logp - old), torch.tensor([1.0, -0.5, 2.0])
    return -torch.min(ratio * advantages, torch.clamp(ratio, 1 - eps, 1 + eps) * advantages)


@case(eps=0.2)
def dual_clip_in_float32(logp, ref, old, eps):
    ratio = torch.exp((logp - old).float())
    loss = torch.maximum(-ratio * 0.3, -ratio.clip(1 - eps, 1 + eps) * 0.3)
    return torch.where(loss < -0.4, torch.minimum(loss * 3.0, loss), loss).to(logp.dtype)


@case()
def sequence_weight(logp, ref, old):
    """GSPO's: the weight of the sequence, the gradient of the token."""
    log_weight = (logp - old).mean()
    return torch.exp(logp - logp.detach() + log_weight.detach()).clamp(max=3.0) * (logp - ref)


@case()
def to_go(logp, ref, old):
    kl = (logp - ref).detach()
    return kl.flip(0).cumsum(dim=0).flip(0) * logp + torch.cumsum(ref, 0)


@case((2, 3))
def full_vocabulary(logp, ref, old):
    p, q = F.log_softmax(logp, dim=-1), torch.log_softmax(ref, dim=-1)
    return (p.exp() * (p - q)).sum(-1)


@case((2, 3))
def forward_by_kl_div(logp, ref, old):
    return F.kl_div(F.log_softmax(logp, -1), ref.softmax(-1), reduction="batchmean")


@case((2, 3))
def reverse_by_kl_div(logp, ref, old):
    p, q = logp - logp.logsumexp(-1, keepdim=True), ref - torch.logsumexp(ref, dim=-1)[:, None]
    return F.kl_div(q, p, log_target=True, reduction="none").sum(dim=1)


@case((2, 3))
def masked_vocabulary(logp, ref, old):
    p = logp.masked_fill(~MASK, float("-inf")).log_softmax(-1)
    q = torch.where(MASK, ref, -torch.inf).log_softmax(-1)
    return (p.exp() * torch.where(MASK, p - q, 0.0).nan_to_num()).sum(-1)


@case((2, 3))
def stable_by_hand(logp, ref, old):
    z = logp - logp.amax(-1, keepdim=True).detach()
    top, _ = ref.max(dim=-1)
    return z - z.exp().sum(-1, keepdim=True).log() + top.unsqueeze(1)


@case((2, 2, 3))
def gathered(logp, ref, old):
    labels = LABELS.unsqueeze(-1)
    chosen = logp.log_softmax(-1).gather(dim=-1, index=labels).squeeze(-1)
    reference = torch.gather(ref, 2, labels)[..., 0] - ref.logsumexp(-1)
    cross = F.cross_entropy(old.reshape(-1, 3), LABELS.view(-1), reduction="none").reshape_as(chosen)
    return chosen - reference + cross


@case((2, 3))
def entropy(logp, ref, old):
    p = torch.softmax(logp, -1)
    return torch.logsumexp(logp, -1) - torch.einsum("bv,bv->b", p, logp) + (p @ ref.T).diagonal()


@case((2, 3))
def jensen_shannon(logp, ref, old):
    p, q = logp.softmax(-1), ref.softmax(-1)
    m = torch.log(0.5 * (p + q))
    return (0.5 * (p * (p.log() - m) + torch.special.xlogy(q, q) - q * m)).sum()


@case((2, 3))
def edits_in_place(logp, ref, old):
    kl = torch.zeros_like(logp)
    kl[:, 0] = logp[:, 0] - ref[:, 0]
    kl[MASK] += (logp - ref)[MASK].exp()
    kl[1].mul_(0.5)
    kl[0, 1:] = old[0, 1:]
    kl[kl > 1.5] = 1.5
    kl.masked_fill_(~MASK, 0.0)
    row = kl[0]
    row += 1
    return kl.clamp_(-5, 5)


@case()
def edits_its_inputs(logp, ref, old):
    logp -= ref
    logp.clamp_(max=0.9).pow_(2)
    ref.zero_()
    old[0] = 0.25
    return logp * old + ref


@case()
def edits_without_gradient(logp, ref, old):
    x, y = logp * 1, logp * ref
    with torch.no_grad():
        x.clamp_(-1, 0)
    y.data.mul_(2)
    z = y.detach()
    z[0] = 3.0
    return x * ref + y * old


@case()
def edits_by_index(logp, ref, old):
    out = logp.new_zeros(4)
    out.index_put_((torch.tensor([0, 2]),), ref[:2])
    out = out.scatter(0, torch.tensor([1]), old[:1]).index_copy(0, torch.tensor([3]), logp[2:])
    out[torch.tensor([0, 3])] *= 2
    return F.pad(out, (1, 0), value=0.5)


@case((2, 3))
def shapes(logp, ref, old):
    x = torch.stack([logp, ref], dim=1).permute(2, 0, 1).reshape(3, 4)
    y = torch.cat([x.T.contiguous().view(2, 6), x.flatten()[:6].expand(2, -1)], dim=0).narrow(1, 1, 4)
    z = y.transpose(0, 1).repeat(2, 1).unflatten(0, (2, -1)).roll(1, 0).tril()
    return z[..., ::2] * old.chunk(3, -1)[0].expand_as(old).mean() + torch.diff(y.unsqueeze(-1)[:, :2, 0]).sum()


@case()
def methods(logp, ref, old):
    x = logp.sub(ref).abs().add(1, alpha=2).log().mul(0.3).neg().exp().reciprocal().sqrt()
    return x.rsqrt().div(old).float().double().type_as(ref).tanh().true_divide(2).square().maximum(x).fmin(ref.exp())


@case()
def operators(logp, ref, old):
    x = 1 - (2 * logp + 0.1) / 3 - (+ref)
    x = 2.0**x + x**2 - 1 / (x - 4)
    x -= old
    x *= 0.5
    return abs(-x) + (x > 0) * x + ((x < 0.2) & ~(ref >= -1) | (x <= -9)) * 2.0 + torch.lerp(logp, ref, 0.25)


@case()
def functions(logp, ref, old):
    x = torch.sub(logp, ref, alpha=0.5)
    x = torch.sigmoid(x) + F.logsigmoid(x) + torch.logaddexp(x, old) + torch.log1p(torch.exp(x)) + torch.log2(-ref)
    x = x + F.relu(ref + 1) + F.leaky_relu(old + 1, 0.1) + F.hardtanh(x, -0.5, 0.5) + F.silu(ref) + F.elu(logp)
    return torch.addcmul(x, ref, old, value=0.2) + torch.sign(ref + 1) * logp + torch.clip(x, old, 1 + old)


@case()
def soft_thresholds(logp, ref, old):
    return F.softplus(30 * (ref - logp)) + F.softplus(ref, beta=2, threshold=1) + torch.cosh(logp) - torch.sinh(old)


@case()
def losses(logp, ref, old):
    x = F.mse_loss(logp, ref) + F.huber_loss(3 * logp, ref, reduction="sum", delta=0.5) + F.l1_loss(logp, old)
    y = F.smooth_l1_loss(2 * logp, old, reduction="none", beta=0.7)
    return x + y + F.binary_cross_entropy_with_logits(logp, ref.exp()) + F.binary_cross_entropy(logp.exp(), old.exp())


@case((2, 3))
def reductions(logp, ref, old):
    x = logp.prod(-1) + ref.amin(1) + torch.std(old, dim=1) + logp.var(-1, unbiased=False) + ref.norm(dim=-1)
    y = (ref - logp).max() + old.min(dim=1).values + torch.cumprod(logp, 1)[:, -1] + logp.nanmean(1) + old.sum((0, 1))
    return x * y + torch.logcumsumexp(ref, 1)[:, 1] + (logp > ref).sum(-1) + torch.any(old > -1, dim=1).double()


@case()
def normalised(logp, ref, old):
    reward = (logp - ref).detach()
    advantage = (reward - reward.mean()) / (reward.std() + 1e-4)
    return -advantage * torch.exp(logp - logp.detach())


@case()
def guarded(logp, ref, old):
    kl = ref - logp
    assert torch.isfinite(kl).all()
    assert not torch.isnan(kl).any()
    if (kl == math.inf).any() or logp.isinf().any():
        kl = kl * 0
    return torch.nan_to_num(kl, nan=0.0, posinf=10.0) * (kl != old)


@case()
def logs_numbers(logp, ref, old):
    kl = logp - ref
    metrics = {"kl": kl.mean().item(), "median": kl.median().item(), "all": kl.sort().values.tolist()}
    metrics["sum"] = sum(metrics["all"]) / len(metrics["all"])
    metrics["line"] = f"{metrics['kl']:.3f} {kl.std():.2f} {kl} {metrics}"
    metrics["off"] = (kl.clamp(-1, 1) == kl).float().mean().item()
    return {"n": 3, "loss": kl, "metrics": metrics}


@case()
def uses_a_number(logp, ref, old):
    baseline = (logp - ref).mean().item()
    scale = torch.tensor([1.0, 2 * ref[0].item(), old[1].detach()], dtype=logp.dtype)
    return (0.5 - baseline * 2) * logp * scale + old.tolist()[1] / ref + copy.deepcopy(ref.detach())


@case((2, 3))
def categorical(logp, ref, old):
    p, q = (torch.distributions.Categorical(logits=x) for x in (logp, ref))
    return torch.distributions.kl_divergence(p, q) + q.log_prob(LABELS[0]) + p.entropy()


@case((2, 3), reduction="none")
@case((2, 3), reduction="sum")
@case((2, 3), reduction="mean")
def kl_div_of_logs(logp, ref, old, reduction):
    return F.kl_div(logp, ref, log_target=True, reduction=reduction) + (logp - old).to(torch.bfloat16).exp()


@case()
def tuple_output(logp, ref, old):
    return (logp > ref), [torch.arange(3), (logp - ref) * 0.1], old


@case()
def nothing_of_the_inputs(logp, ref, old):
    return torch.full_like(logp, 0.1) + torch.zeros(3).sum()


@case()
def checkpointed(logp, ref, old):
    from torch.utils.checkpoint import checkpoint

    return checkpoint(lambda x: torch.exp(x) * ref, logp, use_reentrant=False)


@case()
def gradient_inside(logp, ref, old):
    (g,) = torch.autograd.grad((logp * logp.exp()).sum(), logp)
    return g * ref + torch.func.vmap(lambda a, b: a * b.sigmoid())(logp, old)


class KLPenalty:
    """An estimator object, as trainers hold."""

    def __init__(self, kind: str, coef: float) -> None:
        self.kind, self.coef = kind, coef

    def penalty(self, logp, ref, old):
        return self.coef * getattr(self, self.kind)(logp - ref)

    def k3(self, log_ratio):
        return torch.exp(-log_ratio) - 1 + log_ratio


class KLModule(torch.nn.Module):
    """A module, with a parameter that is not an input."""

    def __init__(self) -> None:
        super().__init__()
        self.log_coef = torch.nn.Parameter(torch.tensor(-0.25))

    def forward(self, logp, ref, old):
        return self.log_coef * (logp - ref) + self.log_coef.exp() * (logp - ref).detach()


def compute_loss(self, logp, ref, old):
    """An unbound trainer method, with a stand-in self."""
    with torch.autocast("cpu", enabled=False):
        kl = torch.exp(ref - logp) - (ref - logp) - 1
    ratio = torch.exp(logp - logp.detach() if self.on_policy else logp - old)
    self.metrics["kl"].append(kl.mean().item())
    return (-ratio * self.advantages.unsqueeze(0) + self.beta * kl).mean()


METHODS = [
    Case(KLPenalty("k3", 0.05).penalty, (3,)),
    Case(KLModule().forward, (3,)),
    *(
        Case(
            compute_loss, (3,), {"self": SimpleNamespace(beta=0.04, advantages=torch.ones(1), metrics={"kl": []}, **o)}
        )
        for o in ({"on_policy": True}, {"on_policy": False})
    ),
]
CASES += METHODS
