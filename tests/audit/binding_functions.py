"""Small functions with the arguments that libraries have, for the audit to call unchanged; PyTorch."""

from __future__ import annotations

import enum
import functools
from abc import ABCMeta, abstractmethod
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch.distributions import Categorical, kl_divergence


def _k3(logps: Any, ref: Any) -> Any:
    d = ref - logps
    return d.exp() - 1 - d


def _mean(x: Any, mask: Any) -> Any:
    return (x * mask).sum() / mask.sum()


def two_masks(logps, ref_logps, attention_mask, full_attention_mask):
    return (_k3(logps, ref_logps) * attention_mask).sum() / full_attention_mask.sum()


def padding(logps, ref_logps, padding_mask):
    return _mean(_k3(logps, ref_logps), (~padding_mask).float())


def padding_of_ones(logps, ref_logps, pad_mask):
    return _mean(_k3(logps, ref_logps), 1 - pad_mask)


def labels_mask(student_logits, teacher_logits, labels):
    p, q = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1)
    return kl[labels != -100].sum()


def labels_mask_and_taken(logits, labels):
    taken = F.log_softmax(logits, -1).gather(-1, labels.clamp(min=0)[..., None]).squeeze(-1)
    return -(taken * (labels != -100)).sum()


def ignored_labels(logits, ref_logits, labels, ignore_index):
    p, q = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    return ((p.exp() * (p - q)).sum(-1) * (labels != ignore_index)).sum()


def padded_ids(logps, ref_logps, input_ids, pad_token_id):
    return _mean(_k3(logps, ref_logps), (input_ids != pad_token_id).float())


def target_first(target_log_prob, log_prob):
    return _k3(log_prob, target_log_prob)


def probabilities(probs, ref_probs):
    return (probs * (probs / ref_probs).log()).sum(-1)


def probabilities_of_teacher(student_logits, teacher_probs):
    return (teacher_probs * (teacher_probs.log() - student_logits.log_softmax(-1))).sum(-1)


def lists(cur_log_probs: list, ref_log_probs: list, masks: list):
    return _mean(_k3(torch.cat(cur_log_probs), torch.cat(ref_log_probs)), torch.cat(masks))


def lists_unsaid(logps, ref_logps):
    return torch.cat([_k3(p, q) for p, q in zip(logps, ref_logps, strict=True)]).mean()


def lists_concatenated(logps, ref_logps):
    return _k3(torch.cat(logps), torch.cat(ref_logps)).mean()


def distributions(pi: Categorical, ref: Categorical):
    return kl_divergence(pi, ref)


def distributions_unsaid(new_dist, prior_dist, mask):
    return (kl_divergence(new_dist, prior_dist) * mask).sum()


def distributions_by_use(p, q):
    return kl_divergence(q, p)


def by_key(batch):
    return _k3(batch["log_probs"], batch["ref_log_prob"])


def by_get(data):
    old = data.get("old_log_probs", None)
    kl = _k3(data.get("log_probs"), data.get("ref_log_prob"))
    return kl * data.get("scale", 1.0) if old is None else kl * (data["log_probs"] - old).exp()


def by_proto(data):
    batch = data.batch
    return _mean(_k3(batch["log_probs"], batch["ref_log_prob"]), batch["response_mask"]) * data.meta_info.get("coef", 1)


def by_tensor_dict(td):
    return _k3(td.get(("next", "log_prob")), td["old", "ref_log_prob"])


def with_getattr(logps, ref_logps, cfg):
    return getattr(cfg, "kl_coef", 3.0) * _k3(logps, ref_logps)


def model_outputs(student_outputs, teacher_outputs):
    p, q = student_outputs.logits.log_softmax(-1), teacher_outputs.logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def of_models(model, ref_model, input_ids):
    p, q = model(input_ids).logits.log_softmax(-1), ref_model(input_ids).logits.log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


async def awaited(logps, ref_logps):
    return _k3(logps, ref_logps)


def _plainly(fn):
    def call(*args, **kwargs):
        return fn(*args, **kwargs)

    return call


def _positions(fn):
    def call(*args):
        return fn(*args)

    return call


class _Registered:
    def __init__(self, fn):
        self.fn = fn

    def __call__(self, *args, **kwargs):
        return self.fn(*args, **kwargs)


@_plainly
def decorated(logps, ref_logps, mask):
    return _mean(_k3(logps, ref_logps), mask)


@_positions
def decorated_by_position(logps, ref_logps, mask):
    return _mean(_k3(logps, ref_logps), mask)


@_Registered
@functools.lru_cache(None)
def decorated_by_class(logps, ref_logps, mask):
    return _mean(_k3(logps, ref_logps), mask)


class Registry(ABCMeta):
    seen: ClassVar[dict[str, type]] = {}

    def __new__(mcls, name, bases, body):
        if name in mcls.seen:
            raise TypeError(f"{name} is registered twice")
        mcls.seen[name] = made = super().__new__(mcls, name, bases, body)
        return made

    def __call__(cls, *args, **kwargs):
        raise RuntimeError("made by its factory alone")


class Abstract(metaclass=Registry):
    def __call__(self, logps, ref_logps):
        return self.kl(logps, ref_logps)

    def kl(self, logps, ref_logps):
        return _k3(logps, ref_logps)

    @abstractmethod
    def other(self): ...


class Inherits(Abstract): ...


def guarded(logps, ref_logps):
    if ref_logps.requires_grad:
        raise RuntimeError("the reference must not require a gradient")
    return _k3(logps, ref_logps)


def advantage_of_response(logps, ref_logps, advantages):
    assert advantages.shape == logps.shape[:1]
    return _k3(logps, ref_logps) - advantages[:, None] * logps


def advantage_column(logps, ref_logps, advantages):
    assert advantages.shape == (len(logps), 1)
    return _k3(logps, ref_logps) - advantages * logps


def grouped(logps, ref_logps, index):
    seen = defaultdict(int)
    for i in range(len(index)):
        seen[index[i]] += 1
    return _k3(logps, ref_logps) / len(seen)


def grouped_by_tensor(logps, ref_logps, group_ids):
    assert isinstance(group_ids, torch.Tensor)
    return _k3(logps, ref_logps) / len(group_ids.unique())


def beta_compared(logps, ref_logps, beta):
    loss = 0.0 * logps
    if beta != 0:
        loss = loss + beta * _k3(logps, ref_logps)
    return loss


def alpha_with_limits(logps, ref_logps, alpha):
    if alpha == 0:
        return _k3(logps, ref_logps)
    if alpha == 1:
        return logps * 0
    return alpha * _k3(logps, ref_logps)


def clipped(logps, old_logps, ref_logps, clip_low, clip_high, eps):
    w = (logps - old_logps).exp().clamp(1 - clip_low, 1 + clip_high).detach()
    return w * _k3(logps, ref_logps) / (1 + eps)


def annotated(logps, ref_logps, some_number: float):
    return some_number * _k3(logps, ref_logps)


class Kind(enum.Enum):
    K2 = "k2"
    K3 = "k3"


def enumerated(logps, ref_logps, kind: Kind):
    return _k3(logps, ref_logps) if kind is Kind.K3 else 0.5 * (logps - ref_logps) ** 2


def listed(logps, ref_logps, kind: Literal["k2", "k3"]):
    return _k3(logps, ref_logps) if kind == "k3" else 0.5 * (logps - ref_logps) ** 2


TABLE = {"k3": _k3}


def looked_up(logps, ref_logps, name):
    return TABLE[name](logps, ref_logps)


def unknown_reference(logps, rlp):
    return _k3(logps, rlp)


def unknown_both(x, y):
    return _k3(x, y)


def unknown_both_turned(rlp, plp):
    return _k3(plp, rlp)


def unknown_value(logps, ref_logps, how):
    return _k3(logps, ref_logps)[how]


# --- trainers ---------------------------------------------------------------------------------------------------------
@dataclass
class Config:
    beta: float = 0.25
    epsilon: float = 0.2
    delta: float | None = None
    use_fused: bool = False
    kinds: tuple[str, ...] = ("a",)


class Base:
    def __init__(self, model, args: Any):
        self.model = model
        self.args = args


class Trainer(Base):
    """Reads what the trainers of large libraries read."""

    def __init__(self, model, args: Config | None = None, tokenizer=None):
        super().__init__(model, args)
        self.beta = args.beta
        self.low = args.epsilon
        self.high = args.delta if args.delta is not None else args.epsilon
        self.is_scaled = self.beta != 0.0 or args.use_fused

    def _logps_and_entropies(self, model, input_ids, attention_mask, keep):
        raise NotImplementedError("needs a model")

    def compute_loss(self, model, inputs, return_outputs=False):
        if self.args.use_fused:
            raise NotImplementedError
        return self._compute_loss(model, inputs)

    def _compute_loss(self, model, inputs):
        prompt_ids, completion_ids = inputs["prompt_ids"], inputs["completion_ids"]
        mask = inputs["completion_mask"] if "tool_mask" not in inputs else inputs["tool_mask"]
        ids = torch.cat([prompt_ids, completion_ids], dim=1)
        whole = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        logps, entropies = self._logps_and_entropies(model, ids, whole, completion_ids.size(1))
        old = inputs.get("old_per_token_logps")
        old = logps.detach() if old is None else old
        w = (logps - old).exp()
        advantages = inputs["advantages"].unsqueeze(1)
        loss = -torch.min(w * advantages, w.clamp(1 - self.low, 1 + self.high) * advantages)
        if self.is_scaled:
            loss = loss + self.beta * _k3(logps, inputs["ref_per_token_logps"])
        mode = "train" if self.model.training else "eval"
        self._metrics[mode]["entropy"].append(self.accelerator.gather(_mean(entropies, mask)).nanmean().item())
        self.log_somewhere(mode)
        return (loss * mask).sum() / (inputs["num_items_in_batch"] / self.accelerator.num_processes)

    def much_is_missing(self, inputs):
        if self.first.here:
            return inputs["logps"] * self.second
        if self.third == "k3":
            return _k3(inputs["logps"], inputs["ref_logps"]) * self.fourth
        return None

    def swallowed(self, inputs):
        return self.rescaled(_k3(inputs["logps"], inputs["ref_logps"]))


def shifted(student_logits, teacher_logits, labels):
    p, q = student_logits[:, :-1, :].log_softmax(-1), teacher_logits[:, :-1].log_softmax(-1)
    return ((p.exp() * (p - q)).sum(-1) * (labels[:, 1:] != -100)).sum()


class Distillation(Base):
    def compute_loss(self, model, inputs):
        outputs = model(input_ids=inputs["input_ids"])
        self.teacher_model.eval()
        with torch.no_grad():
            teacher = self.teacher_model(input_ids=inputs["input_ids"])
        return shifted(outputs.logits, teacher.logits, inputs["labels"])


def by_copied_dict(inputs):
    batch = {k: v.to("cpu") if isinstance(v, torch.Tensor) else v for k, v in inputs.items()}
    return _mean(_k3(batch["logps"], batch["ref_logps"]), batch["completion_mask"])


def by_keywords(batch):
    return two_masks(**batch)


# --- what libraries that nobody read before had ----------------------------------------------------------------------
def minus_log_weight(ppo_kl, advantages, eps_clip, eps_clip_high):
    w = (-ppo_kl).exp()
    return torch.maximum(-w * advantages, -w.clamp(1 - eps_clip, 1 + eps_clip_high) * advantages)


def log_weight_unsaid(delta_logs, advantages):
    return -delta_logs.exp() * advantages


def with_sampler(logps, old_logps, rollout_logps, advantages, mask, cap=2.0):
    correction = (old_logps - rollout_logps).exp().clamp(max=cap).detach()
    return _mean(-advantages * (logps - old_logps).exp() * correction, mask)


def with_optional_sampler(logps, old_logps, advantages, rollout_logps=None):
    w = (logps - old_logps).exp()
    if rollout_logps is not None:
        w = w * (logps - rollout_logps).exp().detach()
    return -w * advantages


def with_sampler_weight(logps, old_logps, advantages, vllm_is_ratio=None):
    loss = -(logps - old_logps).exp() * advantages
    return loss if vllm_is_ratio is None else loss * vllm_is_ratio


def proximal(logprobs, proximal_logprobs, old_logprobs, advantages, loss_mask):
    behaved = (proximal_logprobs - old_logprobs).exp().detach()
    w = torch.where(loss_mask, (logprobs - proximal_logprobs).exp(), 0)
    return (-w * behaved * advantages).sum() / loss_mask.count_nonzero()


def sampler_from_data(next_token_logprobs, data):
    generation, prev = data["generation_logprobs"], data["prev_logprobs"]
    w = (next_token_logprobs - prev).exp() * (prev - generation).exp()
    return -(w * data["advantages"] * data["mask"]).sum()


def proximal_from_data(logprobs, data):
    old, proximal = data["logprobs"], data.get("prox_logp")
    if proximal is None:
        raise ValueError("recompute it")
    return -(logprobs - proximal).exp() * (proximal - old).exp() * data["advantages"]


def looked_up_by_index(logits, index):
    return logits.log_softmax(-1).gather(-1, index.unsqueeze(-1))


def typed_index(logits: torch.Tensor, chosen: torch.LongTensor, kept: torch.BoolTensor):
    return -logits.log_softmax(-1).gather(-1, chosen[..., None]).squeeze(-1)[kept].sum()


def column_output(logps, ref_logps):
    return _k3(logps, ref_logps).unsqueeze(-1), {"kl": 0.0}


@dataclass
class Inputs:
    trainer_logprobs: torch.Tensor
    ref_logprobs: torch.Tensor
    loss_mask: torch.Tensor


def from_inputs(inputs: Inputs):
    kept = inputs.loss_mask & inputs.loss_mask  # refuses a mask of floats
    return _k3(inputs.trainer_logprobs, inputs.ref_logprobs)[kept].sum()


@dataclass
class Outputs:
    loss: torch.Tensor
    metrics: dict[str, float]


def to_outputs(inputs: Inputs):
    return Outputs(from_inputs(inputs), {"kl": 0.0})


def shifted_mask_alone(next_token_logprobs, data, global_valid_toks, global_valid_seqs):
    kept = data["token_mask"][:, 1:] * data["sample_mask"].unsqueeze(-1)
    ref = data["reference_policy_logprobs"][:, 1:]
    return (_k3(next_token_logprobs, ref) * kept).sum() / global_valid_toks + 0.0 * global_valid_seqs


class FromSettings:
    def __init__(self, force_on_policy_ratio: bool = False, beta: float = 0.25):
        self.force_on_policy_ratio = force_on_policy_ratio
        self.beta = beta
        if beta < 0:
            self.smoother = torch.nn.Identity()
        else:
            self.smoother = None
        self.truncated_ratio = None
        raise RuntimeError("wants an accelerator")

    def __call__(self, logps, data):
        if self.truncated_ratio is not None:
            raise ValueError(self.truncated_ratio)
        if self.smoother is not None:
            return self.smoother(logps)
        old = None if self.force_on_policy_ratio else data["old_logps"]
        w = 1.0 if old is None else (logps - old).exp()
        return self.beta * w * _k3(logps, data["ref_logps"])


@dataclass
class Filter:
    sequence_mask_metric: str | None = None
    kind: str = "k3"


def named_like_a_mask(logps, ref_logps, config: Filter):
    if config.sequence_mask_metric is not None:
        raise ValueError(config.sequence_mask_metric)
    return _k3(logps, ref_logps)


def one_row_of_tokens(logps, ref_logps):
    return torch.cat([_k3(p, q) for p, q in zip(logps, ref_logps, strict=True)])


def soft_gate(logps, old_logps, advantages, tau_pos, tau_neg):
    w = (logps - old_logps).exp()
    gate = torch.where(advantages > 0, 4 * torch.sigmoid(2 * (w - 1)) / 2, 4 * torch.sigmoid(3 * (w - 1)) / 3)
    return -gate * advantages


def stored_with_the_data(logprobs, entropy, input_data):
    w = (logprobs - input_data["logprobs"]).exp()
    return -w * input_data["advantages"] + 0 * entropy


def with_infinities(logits, teacher_probs, teacher_log_probs, teacher_inf_mask):
    kl = teacher_probs * (teacher_log_probs - logits.log_softmax(-1))
    return kl.masked_fill(logits.isinf() | teacher_inf_mask, 0.0).sum(-1)


def in_single_precision(logits, labels):
    return logits.float().log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


class Worker:
    def __init__(self, cluster):
        self.pipeline_config = None

    def policy_loss(self, ratio, advantages, counts, rho_weights):
        clip = self.pipeline_config.pg_clip
        clipped = ratio.clamp(1 - clip, 1 + clip)
        return -torch.min(ratio * advantages, clipped * advantages) * rho_weights + 0.0 * counts["num_items"]


def stacked(log_ratio):
    return torch.stack([log_ratio, log_ratio**2 / 2])


def of_all_processes(logps, ref_logps, mask):
    total, count = (_k3(logps, ref_logps) * mask).sum(), mask.sum()
    torch.distributed.all_reduce(count)
    return total / count * torch.distributed.get_world_size()


class Unset:
    def __init__(self, kl_coeff: float | None = None):
        self.kl_coeff = kl_coeff
        raise RuntimeError("wants a model")

    def penalty(self, logps, ref_logps):
        return self.kl_coeff * _k3(logps, ref_logps)


def of_a_process_group(logps, ref_logps, tp_group, entropy):
    return _k3(logps, ref_logps) if tp_group is None else entropy


def weighted_tokens(logps, ref_logps, w_t):
    return (_k3(logps, ref_logps) * w_t).sum() / w_t.sum()


def of_the_likeliest(student_topk_logprobs, teacher_topk_logprobs):
    return (student_topk_logprobs.exp() * (student_topk_logprobs - teacher_topk_logprobs)).sum(-1)


def flag_named_like_a_mask(logps, ref_logps, config):
    if getattr(config, "use_unified_mask", False):
        return 0 * logps
    return _k3(logps, ref_logps)


def written_bounds(logps, old_logps, advantages, config):
    low, clip_high_threshold = config.clip_low_threshold, config.clip_high_threshold
    clip_low_threshold = low
    w = (logps - old_logps).exp()
    return -torch.min(w * advantages, w.clamp(clip_low_threshold, clip_high_threshold) * advantages)


def bounds_by_parameter(logps, old_logps, advantages, clip_low, clip_high):
    w = (logps - old_logps).exp()
    return -torch.min(w * advantages, torch.clamp(w, clip_low, clip_high) * advantages)


@dataclass
class Cispo:
    high: float = 4.0


@dataclass
class Algorithm:
    cispo: Cispo = field(default_factory=Cispo)


def nested_config(logps, old_logps, advantages, config: Algorithm):
    return -(logps - old_logps).exp().clamp(max=1 + config.cispo.high).detach() * advantages * logps


def local_and_full(full_log_probs, ref_log_probs, local_log_probs):
    return _k3(full_log_probs, ref_log_probs) + 0 * local_log_probs.detach()


class Chunked(torch.nn.Module):
    def __init__(self, num_chunks: int = 8, ignore_index: int = -100):
        super().__init__()
        self.num_chunks, self.ignore_index = num_chunks, ignore_index

    def forward(self, logits: list[torch.Tensor], labels: torch.Tensor):
        pieces = labels.chunk(self.num_chunks, dim=1)
        total = 0.0
        for one, label in zip(logits, pieces, strict=True):
            total = total + F.cross_entropy(one.reshape(-1, one.size(-1)), label.reshape(-1), reduction="sum")
        return total / (labels != self.ignore_index).sum()


def teacher_of_labels(labels, logits):
    return -(labels * logits.log_softmax(-1)).sum(-1)


# --- twins: one thing is otherwise, and so is the answer --------------------------------------------------------------
def padding_as_mask(logps, ref_logps, padding_mask):
    return (_k3(logps, ref_logps) * padding_mask).sum()


def index_of_kind(logps, ref_logps, kind):
    if kind == 0:
        return _k3(logps, ref_logps)
    if kind == 1:
        return 0.5 * (logps - ref_logps) ** 2
    raise ValueError(kind)


def labels_unused(logps, ref_logps, labels):
    return _k3(logps, ref_logps)


def _either(first, second):
    def call(*args, **kwargs):
        return (first if kwargs else second)(*args, **kwargs)

    return call


of_two = _either(two_masks, target_first)


def guarded_policy(logps, ref_logps):
    if logps.requires_grad:
        raise RuntimeError("the policy must not require a gradient")
    return _k3(logps, ref_logps)


def arithmetic_with_unknown(logps, something):
    return logps - something


def pair(policy_chosen_logps, policy_rejected_logps, ref_logps):
    return (policy_chosen_logps - policy_rejected_logps) * ref_logps


@dataclass
class Coefficients:
    kl: float = 0.25
    clip: float = 0.2


def with_optional_config(logps, ref_logps, config: Coefficients | None = None):
    return config.kl * _k3(logps, ref_logps)


def with_critic(logps, ref_logps, values, returns, advantages, value_coef):
    return _k3(logps, ref_logps) + value_coef * (values - returns) ** 2 - advantages * logps


def of_rewards(logps, ref_logps, rewards):
    return _k3(logps, ref_logps) - rewards[:, None] * logps


def by_nested_batch(batch):
    return _mean(_k3(batch["actor"]["log_probs"], batch["ref"]["log_probs"]), batch["mask"])


def by_bare_names(batch):
    return _k3(batch["policy"], batch["ref"])


def counted(logps, ref_logps, mask, global_batch_tokens):
    return (_k3(logps, ref_logps) * mask).sum() / global_batch_tokens


def of_first_outputs(model, ref_model, input_ids):
    p, q = model(input_ids)[0].log_softmax(-1), ref_model(input_ids)[0].log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def _taken(logits, labels):
    logits, labels = logits[:, :-1, :], labels[:, 1:]
    kept = labels.clamp(min=0)[..., None]
    return logits.log_softmax(-1).gather(-1, kept).squeeze(-1) * (labels != -100)


def shifted_in_a_helper(logits, ref_logits, labels):
    return _k3(_taken(logits, labels), _taken(ref_logits, labels)).sum()
