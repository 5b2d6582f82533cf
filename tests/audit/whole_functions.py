"""Functions of the kinds that people train with: a policy loss, an entropy, a distillation, logits with actions."""

import math

import torch
from torch.distributions import Categorical


def taken(logits, actions):
    return logits.log_softmax(-1).gather(-1, actions[..., None]).squeeze(-1)


# --- the part with the advantage --------------------------------------------------------------------------------------
def clip_higher(log_probs, old_log_probs, advantages, response_mask):
    w = torch.exp(log_probs - old_log_probs)
    worse = torch.minimum(w * advantages, torch.clamp(w, 0.8, 1.28) * advantages)
    return -(worse * response_mask).sum() / response_mask.sum()


def clip_higher_negated(log_probs, old_log_probs, advantages, response_mask):
    return -clip_higher(log_probs, old_log_probs, advantages, response_mask)


def clipped_for_all(log_probs, old_log_probs, advantages):
    """The bound of a dual clip without asking for the sign: it takes the gradient of good actions."""
    w = torch.exp(log_probs - old_log_probs)
    return -torch.maximum(torch.minimum(w * advantages, w.clamp(0.8, 1.2) * advantages), 2 * advantages)


def next_tokens(log_probs, old_log_probs, advantages, response_mask):
    """The mask is one position later: a batch of one token has no value."""
    w, m = torch.exp(log_probs - old_log_probs)[:, :-1], response_mask[:, 1:]
    return -(w * advantages[:, :-1] * m).sum() / m.sum()


def bounded_advantage(logps, advantages):
    return -advantages.clamp(-5, 5) * logps


def raw_logits(logits, ref_logits):
    return (logits.exp() * (logits - ref_logits)).sum(-1)


def detached_weight(log_probs, old_log_probs, advantages):
    return -torch.exp(log_probs - old_log_probs).clamp(max=2.0).detach() * advantages * log_probs


def doubled(logps, old_logps, advantages):
    return -2 * (logps - old_logps).exp() * advantages


def with_penalty(logps, old_logps, ref_logps, advantages):
    d = ref_logps - logps
    return -(logps - old_logps).exp() * advantages + 0.04 * (d.exp() - 1 - d)


def squared_advantage(logps, advantages):
    return -(advantages**2) * logps


def whitened(logps, ref_logps, advantages):
    a = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    return (-a * logps + 0.5 * (logps - ref_logps) ** 2).mean()


def pushed_by_size(logps, advantages):
    return -advantages.abs() * logps


def shaped_reward(logps, ref_logps, rewards):
    return rewards - 0.1 * (logps - ref_logps)


# --- a small constant beside a count ----------------------------------------------------------------------------------
def mean_of_means(logps, ref_logps, mask):
    d = ref_logps - logps
    return (((d.exp() - 1 - d) * mask).sum(-1) / (mask.sum(-1) + 1e-8)).mean()


def a_thousandth_more(logps, ref_logps, mask):
    d = ref_logps - logps
    return (1.001 * (d.exp() - 1 - d) * mask).sum()


def in_bits(logps, ref_logps):
    return (logps - ref_logps) ** 2 / 2 / math.log(2)


def of_the_padding(logps, ref_logps, mask):
    return ((logps - ref_logps) ** 2 / 2 * (1 - mask)).sum()


# --- entropies --------------------------------------------------------------------------------------------------------
def entropy_of_distribution(logits):
    return -0.5 * Categorical(logits=logits).entropy()


def entropy_up(logits):
    p = logits.softmax(-1)
    return -(p * logits.log_softmax(-1)).sum(-1)


def sampled_entropy(logps):
    return 0.01 * logps


def squared_entropy(logps):
    return 0.01 * 0.5 * logps**2


# --- logits and actions -----------------------------------------------------------------------------------------------
def k2_of_actions(logits, ref_log_probs, actions):
    return (taken(logits, actions) - ref_log_probs) ** 2 / 2


def k3_of_two_logits(logits, ref_logits, labels):
    d = taken(ref_logits, labels) - taken(logits, labels)
    return d.exp() - 1 - d


def scaled_by_the_mass_of_two(logits, ref_log_probs, actions):
    mass = logits.softmax(-1).topk(2, -1).values.sum(-1).detach()
    return mass * k2_of_actions(logits, ref_log_probs, actions)


def number_of_the_position(logits, ref_logits, actions):
    s, r = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    return (s.exp() * (s - r)).sum(-1).detach() * taken(logits, actions)


def top_two(logits, ref_logits):
    s, r = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    return (s.exp() * (s - r)).gather(-1, s.topk(2, -1).indices).sum(-1)


def kept_labels(student_logits, teacher_logits, labels):
    s, t = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return ((t.exp() * (t - s)).sum(-1) * (labels != -100)).sum()


# --- the old policy ---------------------------------------------------------------------------------------------------
def towards_old(logits, old_logits):
    p, q = logits.log_softmax(-1), old_logits.log_softmax(-1)
    return (q.exp() * (q - p)).sum(-1)
