"""The verdict on whole responses: read from code, and the same as that of the calculus on its own objects."""

import subprocess
import sys
from functools import lru_cache

import numpy as np
import pytest
import response_functions as functions
from sympy import exp

from kltheory.audit import known_losses
from kltheory.audit.audit import audit
from kltheory.audit.audited import Audited
from kltheory.audit.binding import bind
from kltheory.audit.codes import Code
from kltheory.audit.known_losses import recognised
from kltheory.audit.on_trees import LENGTHS, Run, settings
from kltheory.audit.recover import recover
from kltheory.audit.row import ResponseRow
from kltheory.audit.target import of_function
from kltheory.calculus.estimators import k1, k2, k3
from kltheory.calculus.moments import E
from kltheory.calculus.placement import Placement
from kltheory.calculus.sequence.language import length, to_go, total
from kltheory.calculus.sequence.loss import SequenceLoss
from kltheory.calculus.sequence.placements import in_sequence_reward, prefix_weight, token_loss
from kltheory.calculus.surrogate import Sampler
from kltheory.calculus.symbols import log_ratio, log_weight
from kltheory.numerics.trees.gradient import expected_gradient


@lru_cache
def audited(name: str) -> Audited:
    return audit(of_function(getattr(functions, name), framework="jax")).variants[0]


def row(name: str, placement: str, credit: str, sampler: str) -> ResponseRow:
    (found,) = (
        r for r in audited(name).responses if (r.placement, r.credit, r.sampler) == (placement, credit, sampler)
    )
    return found


LOSSES = [  # function, sampler, on one length, on any, derived
    ("k1", "policy", "zero", "zero", True),
    ("k2", "policy", "frozen_reverse_kl", "frozen_reverse_kl", True),
    ("k2", "old", "none", "none", True),
    ("k3", "policy", "frozen_forward_kl", "frozen_forward_kl", True),
    ("k2_sum", "policy", "1/5*frozen_reverse_kl", "1/5*frozen_reverse_kl", True),
    ("k2_with_a_small_weight", "policy", "1e-05*frozen_reverse_kl", "1e-05*frozen_reverse_kl", False),
    ("k2_token_mean", "policy", "1/3*frozen_reverse_kl", "none", True),
    ("k2_fixed_budget", "policy", "1/3*frozen_reverse_kl", "1/3*frozen_reverse_kl", True),
    ("k2_of_the_response", "policy", "reverse_kl", "reverse_kl", True),
    ("k2_of_the_response", "old", "none", "none", True),
    ("k3_prefix_weight", "policy", "reverse_kl", "reverse_kl", True),
    ("k3_prefix_weight", "old", "reverse_kl", "reverse_kl", True),
    ("k3_suffix_weight", "old", "frozen_reverse_kl", "frozen_reverse_kl", True),
    ("k3_negated_prefix_weight", "old", "-reverse_kl", "-reverse_kl", True),
    ("geometric_weight", "old", "none", "none", True),
    ("exact_kl", "policy", "frozen_reverse_kl", "frozen_reverse_kl", True),
    ("exact_kl", "old", "frozen_reverse_kl", "frozen_reverse_kl", True),
    ("k2_of_logits", "policy", "frozen_reverse_kl", "frozen_reverse_kl", True),
    ("clipped_geometric_weight", "policy", "none", "none", False),
]


@pytest.mark.parametrize(("name", "sampler", "fixed", "random", "derived"), LOSSES)
def test_what_a_loss_descends(name, sampler, fixed, random, derived):
    found = row(name, "loss", "", sampler).verdicts
    assert {k: v.gradient_of for k, v in found.items()} == {"fixed": fixed, "random": random}
    assert {v.how for v in found.values()} == {"derived" if derived else "measured"}
    assert all(v.residual < 1e-12 for v in found.values() if v.residual is not None)


REWARDS = [
    ("k1", "own", "policy", "frozen_reverse_kl", "Σ_t KL(π‖π_ref) on frozen prefixes"),
    ("k1", "to_go", "policy", "reverse_kl", "KL(π‖π_ref) of responses"),
    ("k1", "whole", "policy", "reverse_kl", "KL(π‖π_ref) of responses"),
    ("k1", "whole", "old", "none", "another objective"),
    ("k3", "to_go", "policy", "none", "no objective"),
    ("exact_kl", "own", "policy", "zero", "nothing"),
]


@pytest.mark.parametrize(("name", "credit", "sampler", "target", "title"), REWARDS)
def test_what_a_cost_in_the_reward_descends(name, credit, sampler, target, title):
    for verdict in row(name, "reward", credit, sampler).verdicts.values():
        assert (verdict.gradient_of, verdict.title, verdict.how) == (target, title, "derived")


def test_a_capped_loss_is_what_it_is_without_its_cap_near_the_reference():
    for verdict in row("k3_capped", "loss", "", "policy").verdicts.values():
        assert (verdict.gradient_of, verdict.where) == ("frozen_forward_kl", "near the reference")
    assert row("k3_capped", "loss", "", "policy").distances["far"] != row("k3", "loss", "", "policy").distances["far"]


def test_an_aggregate_has_no_rows_in_the_reward():
    assert {r.placement for r in audited("k2_token_mean").responses} == {"loss"}
    assert len(audited("k1").responses) == 2 + 2 * 3


def test_tokens_that_meet_within_a_response_are_decided_across_responses_are_not():
    within, across = audited("k2_of_the_response"), audited("centred")
    assert not within.undecided
    assert any("tokens are coupled" in f.text for f in within.notes)
    assert across.undecided
    assert not across.responses


RECOGNISED = {
    "k2_of_the_response": "k2 of the response",
    "k3_prefix_weight": "k3 per token, prefix weight",
    "k3_suffix_weight": "k3 per token, suffix weight",
    "k3_negated_prefix_weight": "minus k3 per token, prefix weight",
    "geometric_weight": "k3 per token, geometric weight",
    "clipped_geometric_weight": None,
    "centred": None,
}


@pytest.mark.parametrize("name", RECOGNISED)
def test_forms_in_which_tokens_meet_are_told_by_name(name):
    found = recognised(recover(bind(of_function(getattr(functions, name), framework="jax"), {}, {}, None)).subject)
    assert (found and found.name) == RECOGNISED[name]
    told = [f.text for f in audited(name).of(Code.RECOGNISED)]
    assert told == (
        [f"told on responses of two and three tokens: its gradient is that of {found.name}"] if found else []
    )


def test_forms_are_told_apart():
    """No two have the same slopes, or one name would be the other's."""
    points = [tuple(np.concatenate(numbers).round(9)) for _, _, numbers in known_losses._spelled()]
    names = [form.name for form, _, _ in known_losses._spelled()]
    assert len(set(names)) == len(names) > 80
    assert len(set(points)) == len(points)


def test_a_form_is_written_out_token_by_token():
    """Σ_t w_{1:t} l_t for two tokens, by hand."""
    (p0, q0, o0), (p1, q1, o1) = known_losses._symbols(2)
    by_hand = exp(p0 - o0) * (p0 - q0) + exp(p0 - o0 + p1 - o1) * (p1 - q1)
    assert (known_losses.written(total(prefix_weight * k1.expr), 2) - by_hand).expand() == 0


def test_what_is_not_finite_on_some_responses_is_not_decided():
    found = audited("standardised")
    assert not found.responses
    assert any("not finite" in f.text for f in found.notes)
    assert any("tokens are coupled" in f.text for f in found.undecided)


def test_other_shapes_have_no_rows():
    assert audited("flat").rows
    assert not audited("flat").responses


WRITTEN = {  # the running function, and the object of the calculus that it writes down
    "k2": (token_loss(k2), "loss", ""),
    "k2_token_mean": (SequenceLoss(total(k2.expr) / length), "loss", ""),
    "k3_prefix_weight": (token_loss(k3, prefix_weight), "loss", ""),
    "k1": (in_sequence_reward(to_go(k1.expr)), "reward", "to_go"),
    "exact_kl": (in_sequence_reward(total(E(log_ratio))), "reward", "whole"),
    "geometric_weight": (SequenceLoss(exp(total(log_weight) / length) * total(k3.expr)), "loss", ""),
}


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("name", WRITTEN)
def test_the_running_gradient_is_that_of_the_object(name, kind):
    loss, placement, credit = WRITTEN[name]
    found = recover(bind(of_function(getattr(functions, name), framework="jax"), {}, {}, None))
    for setting in settings(kind):
        run = Run(found, setting)
        for sampler in Sampler:
            expected = expected_gradient(loss, setting, sampler)
            gap = np.abs(run.gradient(Placement(placement, who=sampler), credit).values - expected.values).max()
            assert gap <= 1e-13 * max(1.0, expected.scale)


def test_and_not_that_of_another():
    found = recover(bind(of_function(functions.k3_suffix_weight, framework="jax"), {}, {}, None))
    (setting, _), sampler = settings("fixed"), Sampler.OLD
    expected = expected_gradient(WRITTEN["k3_prefix_weight"][0], setting, sampler).values
    assert np.abs(Run(found, setting).gradient(Placement("loss", who=sampler), "").values - expected).max() > 1e-3


LOADS = {
    "torch": "import torch\n\ndef k3(logp, ref_logp, mask):\n    d = ref_logp - logp\n"
    "    return ((torch.exp(d) - 1 - d) * mask).sum() / mask.sum()\n",
    "jax": "import jax.numpy as jnp\n\ndef k3(logp, ref_logp, mask):\n    d = ref_logp - logp\n"
    "    return ((jnp.exp(d) - 1 - d) * mask).sum() / mask.sum()\n",
}


@pytest.mark.parametrize("framework", LOADS)
def test_an_audit_on_responses_loads_the_framework_of_its_function_alone(tmp_path, framework):
    if framework == "torch":
        pytest.importorskip("torch")
    (tmp_path / "losses.py").write_text(LOADS[framework], encoding="utf-8")
    program = (
        "import sys; from kltheory.audit.audit import audit; from kltheory.audit.target import load; "
        "(one,) = audit(load('losses.py:k3')).variants; "
        "print(len(one.responses), *sorted({'jax', 'torch'} & {*sys.modules}))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["2", framework]
