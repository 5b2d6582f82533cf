"""Binding: functions with the arguments that libraries have, called unchanged, and the advice where they cannot be."""

import re

import numpy as np
import pytest

from kltheory.audit.audit import audit_subject
from kltheory.audit.binding import bind
from kltheory.audit.reading import Reading
from kltheory.audit.recover import recover, runnable
from kltheory.audit.remarks import remarks
from kltheory.audit.roles import Role
from kltheory.audit.target import CannotRun, Target, of_function
from kltheory.audit.variants import parse_arguments, single_values, variants

torch = pytest.importorskip("torch")
binding_functions = pytest.importorskip("binding_functions")
pytestmark = pytest.mark.torch

K2, K3 = "l**2/2", "l - 1 + exp(-l)"
BETA_K3, ALPHA_K3, SOME_K3 = (f"{letter}*({K3})" for letter in ("beta", "alpha", "some_number"))
CLIPPED = "A*min(6/5, max(4/5, w))"
PUSHED_K3, PPO = f"-A*logp + {K3}", f"min(A*w, {CLIPPED})"
GRPO = f"l/4 - {PPO} - 1/4 + exp(-l)/4"
REVERSE, FORWARD = "l*exp(logp)", "-l*exp(-l)*exp(logp)"
"""One token's formula; those that are summed over the vocabulary have a probability."""

DERIVED = {
    "two_masks": (K3, "attention_mask=mask full_attention_mask=mask"),
    "padding": (K3, "padding_mask=mask:padding"),
    "padding_of_ones": (K3, "pad_mask=mask:padding"),
    "padding_as_mask": (K3, "padding_mask=mask"),
    "labels_mask": (REVERSE, "labels=mask:labels"),
    "labels_mask_and_taken": ("-logp", "labels=actions"),
    "labels_unused": (K3, "labels=ids"),
    "ignored_labels": (REVERSE, "labels=mask:labels"),
    "padded_ids": (K3, "input_ids=mask:labels"),
    "target_first": (K3, "target_log_prob=logp_ref log_prob=logp"),
    "probabilities_of_teacher": (FORWARD, "teacher_probs=logits_ref:probabilities"),
    "lists": (K3, "cur_log_probs=logp:list ref_log_probs=logp_ref:list masks=mask:list"),
    "lists_unsaid": (K3, "logps=logp"),
    "lists_concatenated": (K3, "logps=logp:list ref_logps=logp_ref:list"),
    "by_key": (K3, "batch.log_probs=logp batch.ref_log_prob=logp_ref"),
    "by_get": ("w*(l - 1 + exp(-l))", "data.old_log_probs=logp_old data.log_probs=logp"),
    "by_proto": (K3, "data.batch.log_probs=logp data.batch.response_mask=mask"),
    "by_tensor_dict": (K3, "td.next.log_prob=logp td.old.ref_log_prob=logp_ref"),
    "by_copied_dict": (K3, "inputs.logps=logp inputs.completion_mask=mask"),
    "by_keywords": (K3, "batch.logps=logp batch.full_attention_mask=mask"),
    "with_getattr": ("3*l - 3 + 3*exp(-l)", "logps=logp"),
    "model_outputs": (REVERSE, "student_outputs.logits=logits teacher_outputs.logits=logits_ref"),
    "of_models": (REVERSE, "model().logits=logits ref_model().logits=logits_ref input_ids=ids"),
    "awaited": (K3, "logps=logp"),
    "decorated": (K3, "mask=mask"),
    "decorated_by_position": (K3, "mask=mask"),
    "decorated_by_class": (K3, "mask=mask"),
    "advantage_of_response": (PUSHED_K3, "advantages=advantage"),
    "advantage_column": (PUSHED_K3, "advantages=advantage:column"),
    "grouped": (K3, "index=group"),
    "grouped_by_tensor": (K3, "group_ids=group:array"),
    "beta_compared": (BETA_K3, "logps=logp"),
    "alpha_with_limits": (ALPHA_K3, "logps=logp"),
    "annotated": (SOME_K3, "logps=logp"),
    "shifted": (REVERSE, "labels=mask:one_position_more_at_the_start:labels"),
    "with_optional_config": ("l/4 - 1/4 + exp(-l)/4", "logps=logp"),
    "with_critic": (PUSHED_K3, "values=value returns=value advantages=advantage"),
    "of_rewards": (PUSHED_K3, "rewards=advantage"),
    "by_nested_batch": (K3, "batch.actor.log_probs=logp batch.ref.log_probs=logp_ref batch.mask=mask"),
    "by_bare_names": (K3, "batch.policy=logp batch.ref=logp_ref"),
    "counted": (K3, "global_batch_tokens=mask:number_of_tokens"),
    "of_first_outputs": (REVERSE, "model().0=logits ref_model().0=logits_ref"),
    "shifted_in_a_helper": (K3, "ref_logits=logits_ref:one_position_more_at_the_end"),
    "minus_log_weight": (f"max(-A*w, -{CLIPPED})", "ppo_kl=log_weight:negated"),
    "log_weight_unsaid": ("-A*w", "delta_logs=log_weight"),
    "with_sampler": ("-A*w", "old_logps=logp_old rollout_logps=logp_sampler"),
    "with_optional_sampler": ("-A*w*sg(w)", "rollout_logps=logp_sampler"),
    "with_sampler_weight": ("-A*w", "vllm_is_ratio=weight_sampler"),
    "proximal": ("-A*w", "proximal_logprobs=logp_old old_logprobs=logp_sampler"),
    "sampler_from_data": ("-A*w", "data.generation_logprobs=logp_sampler data.prev_logprobs=logp_old"),
    "proximal_from_data": ("-A*w", "data.logprobs=logp_sampler data.prox_logp=logp_old"),
    "looked_up_by_index": ("logp", "index=actions"),
    "typed_index": ("-logp", "chosen=actions kept=mask"),
    "column_output": (K3, "logps=logp"),
    "from_inputs": (K3, "inputs.loss_mask=mask"),
    "to_outputs": (K3, "inputs.loss_mask=mask"),
    "shifted_mask_alone": (
        K3, "data.token_mask=mask:one_position_more_at_the_start data.sample_mask=mask:one_a_response,_all_kept",
    ),
    "FromSettings.__call__": ("w*(l - 1 + exp(-l))/4", "data.old_logps=logp_old data.ref_logps=logp_ref"),
    "flag_named_like_a_mask": (K3, "logps=logp"),
    "named_like_a_mask": (K3, "logps=logp"),
    "one_row_of_tokens": (K3, "logps=logp"),
    "stored_with_the_data": ("-A*w", "logprobs=logp input_data.logprobs=logp_old entropy=value"),
    "with_infinities": (FORWARD, "teacher_probs=logits_ref:probabilities"),
    "in_single_precision": ("logp", "labels=actions"),
    "Worker.policy_loss": (f"-{PPO}", "rho_weights=weight_sampler"),
    "of_all_processes": (K3, "mask=mask"),
    "of_a_process_group": (K3, "entropy=value"),
    "weighted_tokens": (K3, "w_t=mask"),
    "of_the_likeliest": (REVERSE, "student_topk_logprobs=logits teacher_topk_logprobs=logits_ref"),
    "written_bounds": (f"-{PPO}", "logps=logp"),
    "bounds_by_parameter": (f"-{PPO}", "logps=logp"),
    "nested_config": ("-A*logp*sg(min(5, w))", "logps=logp"),
    "local_and_full": (K3, "full_log_probs=logp local_log_probs=logp"),
    "Chunked.forward": ("-logp", "logits=logits:list_of_chunks_of_tokens"),
    "Abstract.__call__": (K3, "logps=logp"),
    "Inherits.__call__": (K3, "logps=logp"),
    "Distillation.compute_loss": (REVERSE, "model().logits=logits:one_position_more_at_the_end"),
    "Trainer.compute_loss": (GRPO, "self._logps_and_entropies()=logp inputs.tool_mask=mask"),
    "Trainer._compute_loss": (
        GRPO, "inputs.prompt_ids=ids:empty_prompt inputs.old_per_token_logps=logp_old",
    ),
}  # fmt: skip


def target(name: str) -> Target:
    owner, _, method = name.partition(".")
    found = getattr(binding_functions, owner)
    return of_function(getattr(found, method) if method else found, owner=found if method else None)


def texts(found: Reading) -> dict[str, str]:
    """Path to role and forms."""
    s = found.subject
    return {
        p: ":".join((r.value, *(f.value.replace(" ", "_") for f in s.forms.get(p, ())))) for p, r in s.paths.items()
    }


@pytest.mark.parametrize("name", DERIVED)
def test_a_function_is_called_as_it_is(name: str) -> None:
    expected, paths = DERIVED[name]
    found = recover(bind(target(name), {}, {}))
    assert found.formula == expected
    assert dict(pair.split("=") for pair in paths.split()).items() <= texts(found).items()
    again, _layout = runnable(found.subject)
    assert again == found.subject, "what is found is found again, and nothing more"


@pytest.mark.parametrize(
    ("name", "forms", "reverse"),
    [
        ("distributions", "pi=distribution ref=distribution", True),
        ("distributions_unsaid", "new_dist=distribution prior_dist=distribution", True),
        ("distributions_by_use", "p=distribution q=distribution", False),
    ],
)
def test_a_distribution_is_made_of_logits(name: str, forms: str, reverse: bool) -> None:
    subject, layout = runnable(bind(target(name), {}, {}))
    assert " ".join(f"{p}={f[0].value}" for p, f in subject.forms.items()) == forms
    at = layout.arrays()
    value, _slopes = subject.run(at)
    p, q = (at[Role.LOGITS], at[Role.LOGITS_REF]) if reverse else (at[Role.LOGITS_REF], at[Role.LOGITS])
    assert abs(value.sum() - (np.exp(p) * (p - q)).sum()) < 1e-12


@pytest.mark.parametrize(("name", "gradient_of"), [("probabilities", "reverse_kl"), ("guarded", "forward_kl")])
def test_an_array_is_handed_over_in_its_form(name: str, gradient_of: str) -> None:
    found = audit_subject("", bind(target(name), {}, {}), ("loss",), responses=False)
    assert found.subject is not None
    assert found.subject.forms
    assert found.rows[0].gradient_of == gradient_of


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("enumerated", ["kind=K2", "kind=K3"]),
        ("listed", ["kind=k2", "kind=k3"]),
        ("looked_up", ["name=k3"]),
        ("index_of_kind", ["kind=0", "kind=1"]),
        ("beta_compared", [""]),
        ("alpha_with_limits", [""]),
    ],
)
def test_a_selector_is_no_coefficient(name: str, names: list[str]) -> None:
    found = list(variants(target(name), {}))
    assert [v.name for v in found] == names
    last = recover(bind(target(name), {}, found[-1].settings))
    assert last.formula == {"index_of_kind": K2, "beta_compared": BETA_K3, "alpha_with_limits": ALPHA_K3}.get(name, K3)


def test_a_member_of_an_enumeration_is_set_by_its_name() -> None:
    for text, expected in (("kind=K2", K2), ("kind=k3", K3), ("kind=Kind.K3", K3)):
        assert recover(bind(target("enumerated"), {}, single_values([text]))).formula == expected


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("beta_compared", "beta = 0.5: generic values, --set NAME=VALUE for another"),
        ("clipped", "clip_low = 0.2, clip_high = 0.2, eps = 0.2: generic values, --set NAME=VALUE for another"),
        ("guarded", "ref_logps is handed over detached: the function refuses one that requires a gradient"),
        ("labels_mask", "labels only masks: a label is kept, or left out"),
        ("of_all_processes", "torch.distributed is that of a run of one process"),
        ("grouped", "index is the same for all: one group of responses"),
        (
            "Trainer._compute_loss",
            "self.low = 0.2, self.high = 0.2, self.is_scaled = True, self.beta = 0.25: defaults of Trainer.__init__",
        ),
        ("Trainer._compute_loss", "entropies of self._logps_and_entropies() is 0"),
    ],
)
def test_what_was_assumed_is_told(name: str, notes: str) -> None:
    assert notes in remarks(runnable(bind(target(name), {}, {}))[0])


def test_what_is_given_replaces_what_would_be_assumed() -> None:
    one, half = f"l - {PPO} - 1 + exp(-l)", f"l/2 - {PPO} - 1/2 + exp(-l)/2"
    for setting, expected in (("self.beta=1", one), ("self.args.beta=0.5", half)):
        found = recover(bind(target("Trainer._compute_loss"), {}, single_values([setting])))
        assert found.formula == expected
    assert remarks(runnable(bind(target("beta_compared"), {}, {"beta": 1}))[0]) == ()


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("minus_log_weight", {"log_weight": "ppo_kl"}, "max(-A/w, -A*min(6/5, max(4/5, 1/w)))"),  # no sign is no sign
        ("minus_log_weight", {"log_weight": "-ppo_kl"}, f"max(-A*w, -{CLIPPED})"),
        ("teacher_of_labels", {"logits_ref": "log(labels)"}, "-logp*exp(-l + logp)"),
    ],
)
def test_an_argument_may_be_what_a_role_is_minus_or_the_exponential_of(
    name: str, arguments: dict[str, str], expected: str
) -> None:
    assert recover(bind(target(name), arguments, {})).formula == expected


def test_of_stacked_outputs_one_is_chosen() -> None:
    found = audit_subject("", bind(target("stacked"), {}, {}), ("loss",), responses=False)
    assert "--output N" in str(found.undecided[0])
    assert recover(bind(target("stacked"), {}, {}, "1")).formula == K2


def test_a_saturated_gate_is_derived() -> None:
    found = recover(bind(target("soft_gate"), {}, {}))
    assert found.reason == ""
    assert found.residual < 64


def test_where_the_sampler_is_the_old_policy_is_said() -> None:
    notes = remarks(runnable(bind(target("with_sampler"), {}, {}))[0])
    both = "rollout_logps and old_logps are taken to be one policy: the rows hold where the sampler is the old policy"
    assert both in notes
    assert any(
        "vllm_is_ratio is read as" in n for n in remarks(runnable(bind(target("with_sampler_weight"), {}, {}))[0])
    )


ADVICE = {
    "unknown_reference": "--args logp_ref=rlp",
    "Unset.penalty": "--set self.kl_coeff=VALUE",
    "unknown_both": "--args logp=x,logp_ref=y",
    "unknown_both_turned": "--args logp_ref=rlp,logp=plp",
    "arithmetic_with_unknown": "--args logp_ref=something",
    "unknown_value": "--set how=VALUE",
    "Trainer.much_is_missing": "--set self.first.here=VALUE --set self.third=VALUE --set self.fourth=VALUE",
    "Trainer.swallowed": "--set self.rescaled()=VALUE",
    "of_two": "is known to be the policy's log-probabilities (it has none): say which, with --args logp=NAME",
    "guarded_policy": "RuntimeError: the policy must not require a gradient",
    "pair": "policy_rejected_logps looks like another sample of what policy_chosen_logps is",
}
VALUES = {
    "self.kl_coeff": "1",
    "how": "slice(None)",
    "self.first.here": "False",
    "self.third": "k3",
    "self.fourth": "1",
    "self.rescaled()": "1",
}


@pytest.mark.parametrize("name", ADVICE)
def test_the_advice_names_everything_and_can_be_followed(name: str) -> None:
    subject = bind(target(name), {}, {})
    failure = audit_subject("", subject, ("loss",), responses=False).failure
    assert ADVICE[name] in failure
    if not ADVICE[name].startswith("--"):
        return
    arguments = parse_arguments(re.findall(r"--args ((?:[a-z_]+=[a-z_]+,?)+)", failure)[:1])
    given = {n: VALUES[n] for n in re.findall(r"--set (\S+)=VALUE", failure) if n in VALUES and not arguments}
    settings = single_values([f"{n}={v}" for n, v in given.items() if n != "how"])
    settings |= {"how": slice(None)} if "how" in given else {}
    followed = audit_subject("", bind(target(name), arguments, settings), ("loss",), responses=False)
    assert not re.search(r"nothing is given|it reads|no argument", followed.failure)
    assert followed.failure == "" or name == "Trainer.swallowed", followed.failure


def test_an_array_that_is_said_to_be_one_is_read_in_the_form_that_its_name_tells() -> None:
    found = bind(target("probabilities"), {"logp": "probs"}, {})
    assert found.paths["probs"] is Role.LOGP
    assert found.forms["probs"][0].value == "probabilities"
    with pytest.raises(CannotRun, match="there is no role reference"):
        bind(target("probabilities"), {"reference": "probs"}, {})
