"""Roles told from names, as they stand in public code."""

import pytest

from kltheory.audit.roles import Role, guess, guess_all
from kltheory.calculus.names import sure

NAMES: dict[Role | None, str] = {
    Role.LOGP: (
        "logp logps log_probs log_prob logprob logprobs logprobas_not per_token_logps policy_logps pi_logprob "
        "policy_chosen_logps new_logps new_log_probs curr_logprobs action_log_probs token_log_probs logp_theta log_pi "
        "student_logprobs model_logps actor_log_probs policy_logprobs logpi log_p lp policyLogProbs student policy pi "
        "response_logprobs target_logprobs log_likelihood"
    ),
    Role.LOGP_REF: (
        "ref_logp ref_logps ref_log_probs logp_ref log_probs_base ref_per_token_logps ref_log_prob reference_logps "
        "base_action_log_probs ref_logprob reference_logprobs log_pi_ref pi_ref_logprob teacher_logprobs sft_logps "
        "init_logprobs logq log_q reference refLogProbs ref ref_policy_logps initial_log_probs prior_logp anchor_logps "
        "reflogp reflogprobs"
    ),
    Role.LOGP_OLD: (
        "old_logp old_logps old_log_probs old_log_prob log_probs_old behavior_logp behaviour_log_probs "
        "rollout_log_probs sampling_logps sampling_per_token_logps prev_logprobs generation_logprobs vllm_logprobs "
        "inference_logprobs log_mu old_action_log_probs oldLogProbs mu_logprobs infer_logps oldlogp"
    ),
    Role.LOG_RATIO: "log_ratio logratio log_ratios logprob_diff log_prob_ratio log_diff logr log_r logp_diff",
    Role.LOG_WEIGHT: "log_importance_weights is_log_ratio old_log_ratio log_weights importance_log_ratio log_w logw",
    Role.WEIGHT: "ratio importance_weights importance_ratio iw rho is_weights is_weight weights w",
    Role.LOGITS: "logits policy_logits student_logits shift_logits new_logits model_logits",
    Role.LOGITS_REF: "ref_logits teacher_logits reference_logits logits_ref base_logits",
    Role.LOGITS_OLD: "old_logits rollout_logits",
    Role.ACTIONS: "actions labels input_ids completion_ids tokens token_ids responses_ids action",
    Role.MASK: "mask response_mask completion_mask action_mask loss_mask attention_mask padding_mask pad_mask",
    Role.ADVANTAGE: "advantages advantage adv advs",
    None: (
        "beta x y kind kl_penalty estimator temperature clip_eps epsilon rewards values self config args kwargs "
        "num_items_in_batch reduction dim max_len coef model inputs batch num_actions clip_ratio ratio_clip_max "
        "adv_estimator kl_type "
        "importance_sampling_level ref_model old_model "
        "kl_weight logprob_temperature padding_side pad_token_id loss_type returns"
    ),
}  # fmt: skip
PAIRS = [(n, role) for role, names in NAMES.items() for n in names.split() if not n.endswith("_not")]


@pytest.mark.parametrize(("name", "role"), PAIRS, ids=[n for n, _ in PAIRS])
def test_a_name_tells_its_role(name: str, role: Role | None) -> None:
    assert guess(name) is role


OF_ONE_SAMPLE = (Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD, Role.WEIGHT, Role.LOG_WEIGHT, Role.ADVANTAGE)
SEVERAL = (
    "ratio rho weights w old_log_ratio "  # of which two
    "logq log_q "  # the reference for some, the policy for others
    "policy_chosen_logps chosen_logps "  # one of a pair
    "target_logprobs logp_reff adv_std old_ref_logps "  # a word that nobody knows, or two that differ
    "reference ref student policy pi"  # a log-probability, or a probability
)


@pytest.mark.parametrize(("name", "role"), [*PAIRS, *((n, guess(n)) for n in SEVERAL.split())])
def test_a_name_with_one_reading_is_told_from_one_with_several(name: str, role: Role | None) -> None:
    assert sure(name) is (role if role in OF_ONE_SAMPLE and name not in SEVERAL.split() else None)


SIGNATURES = {
    "logp new_logp": "- logp",
    "logps ref_logps attention_mask completion_mask": "logp logp_ref mask mask",
    "target_log_prob log_prob": "logp_ref logp",
    "log_prob target_log_prob": "logp logp_ref",
    "target_logps": "logp",
    "target_logits logits": "logits_ref logits",
    "logps rollout_logps old_logps": "logp logp_sampler logp_old",
    "logprobs proximal_logprobs old_logprobs": "logp logp_old logp_sampler",
    "logps rollout_logps": "logp logp_old",
    "logps vllm_logps infer_logps old_logps": "logp logp_sampler logp_sampler logp_old",
    "logps vllm_is_ratio old_logps": "logp weight_sampler logp_old",
    "logps importance_sampling_ratio": "logp weight",
    "logps importance_ratio old_logps": "logp weight logp_old",
    "full_log_probs local_log_probs other_log_probs": "logp logp -",
    "logits_t a_t adv_t": "logits actions advantage",
    "scores valid_score_idxs": "advantage -",
    "probs ref_probs": "logp:probabilities logp_ref:probabilities",
    "policy_dist ref_dist": "logits:distribution logits_ref:distribution",
    "logps prompt_mask prompt_ids completion_ids": "logp mask:empty_prompt ids:empty_prompt actions",
    "log_prob uid group_index num_items_in_batch": "logp group group mask:number_of_tokens",
    "sampling_prob dist_type probability_cutoff": "logp_old:probabilities - -",
    "log_probs log_probs_base log_probs_old kl_estimator": "logp logp_ref logp_old -",
    "ref_logp logp": "logp_ref logp",
    "logps old_logps ref_logps mask beta": "logp logp_old logp_ref mask -",
    "new_logp logp": "logp -",
    "student_logits teacher_logits labels": "logits logits_ref actions",
    "log_ratio": "log_ratio",
    "logits ref_logits logps": "logits logits_ref logp",
}


@pytest.mark.parametrize("names", SIGNATURES, ids=lambda n: n.replace(" ", "-"))
def test_the_parameters_of_one_function_share_out_the_roles(names: str) -> None:
    found = guess_all(names.split())
    texts = {
        n: ":".join((role.value, *(f.value.replace(" ", "_") for f in forms))) for n, (role, forms) in found.items()
    }
    assert [texts.get(n, "-") for n in names.split()] == SIGNATURES[names].split()


def test_of_two_old_policies_the_one_that_sampled_is_told_by_its_name_whatever_the_order() -> None:
    for names in (["logps", "old_logps", "rollout_logps"], ["rollout_logps", "old_logps", "logps"]):
        assert guess_all(names)["rollout_logps"] == (Role.LOGP_SAMPLER, ())
