"""The codes of what is found in a run: KL6xx. A number that was given is never given to something else."""

from kltheory.audit.codes import Kind, Level


class RunCode(Kind):
    """One kind of finding in a run.

    Attributes:
        number: what stands in reports, ``KL601``.
        level: how serious it is.
        meaning: what it says, of any run.
        change: what to change where it is not meant.
        rests_on: the theorem of the library that it rests on; empty where arithmetic is all there is to it.
    """

    def __init__(self, number: str, level: Level, meaning: str, change: str, rests_on: str = "") -> None:
        super().__init__(number, level, meaning, change)
        self.rests_on = rests_on

    # fmt: off
    WEIGHTS_OFF = (
        "KL601", Level.ALARM, "importance weights do not average 1: π_old is not what drew the tokens",
        "recompute logp_old with what sampled, at its temperature and truncation, or weigh with logp_sampler",
        "weight_may_be_replaced_by_one_on_policy",
    )
    SAMPLER_OFF = (
        "KL602", Level.ALARM,
        "π_old/π_sampler does not average 1: the sampler's log-probabilities are not what it drew from",
        "ask the inference engine for log-probabilities after temperature and truncation",
    )
    ENGINES_APART = (
        "KL603", Level.ALARM, "the trainer and the inference engine disagree on the tokens' probabilities",
        "weigh with π_old/π_sampler, truncated, or make the engines agree in precision and kernels",
        "weighting_the_reward_alone_is_enough_when_inference_and_training_differ",
    )
    SUPPORT = (
        "KL604", Level.ALARM,
        "e^-l - 1 does not average 0: the reference has mass where nothing is drawn, or is not normalised",
        "sample without top-k and top-p, or take the truncation into logp; give logp_ref the same temperature",
        "mean_of_k3_on_truncated_policy_eq_kl_sub_missing_reference_mass",
    )
    FEW_COUNT = (
        "KL605", Level.ALARM, "weights of whole responses leave few responses that count",
        "truncate the weights, weigh token by token, or update less between samples",
        "second_moment_of_prefix_weights_grows_by_one_add_chi2_a_step",
    )
    ONE_MIND = (
        "KL606", Level.NOTE, "in most groups all rewards are equal: no advantage, and the penalty alone moves them",
        "drop these groups, or draw prompts of middling difficulty",
    )
    DEAD_PENALTY = (
        "KL607", Level.ALARM, "tokens away from the reference on which the penalty does not pull",
        "let clamps cut the value alone, or move them further out",
        "clamped_k3_as_loss_lets_go_beyond_its_thresholds",
    )
    REVERSED_PENALTY = (
        "KL608", Level.ALARM, "tokens that the penalty pushes further from the reference",
        "look at the sign of l, at exchanged arguments, and at a clamp in front of a live weight",
        "clamping_k3_before_a_live_weight_flips_the_pull",
    )
    CLIPPED = (
        "KL609", Level.NOTE, "a good part of the advantages does nothing: clipped or masked",
        "smaller steps between samples, or a wider clip",
        "ppo_clip_keeps_the_unclipped_samples",
    )
    PENALTY_RULES = (
        "KL610", Level.ALARM, "the penalty pulls harder than the advantages",
        "lower its coefficient",
    )
    FEW_TOKENS = (
        "KL611", Level.ALARM, "one token in a thousand has most of all that is pulled",
        "truncate weights, or use an estimator that is bounded where the policy has left the reference",
        "second_moment_of_the_ratio_grows_by_one_add_chi2_a_step",
    )
    NOISY_K3 = (
        "KL612", Level.NOTE, "χ²(π_ref‖π) is large: k3 is noisy",
        "use k2 as a loss with the weight held, or k1 in the reward",
        "variance_of_k3_eq_variance_of_k1_sub_twice_jeffreys_add_chi2",
    )
    OTHER_TARGET = (
        "KL613", Level.ALARM, "the penalty's pull is no multiple of what KL(π‖π_ref) asks for at these tokens",
        "k2 as a loss with the weight held, or k1 in the reward, pull as KL(π‖π_ref) does",
        "detached_weighted_k2_as_loss_eq_live_weighted_k3",
    )
    SPIKE = (
        "KL614", Level.ALARM, "one step is far from the others",
        "look at the responses of that step",
    )
    ENDLESS = (
        "KL615", Level.ALARM, "the loss's derivative is not finite at some tokens",
        "bound the log-ratio before it is exponentiated",
    )
    BAD_ROWS = (
        "KL616", Level.NOTE, "rows that were left out",
        "look at what wrote them",
    )
    NOT_MEASURED = (
        "KL617", Level.NOTE, "a column is missing, and what needs it was not measured",
        "dump it as well",
    )
    # fmt: on
