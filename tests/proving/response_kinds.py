"""Claims about whole responses: a true one, and the change that makes it false."""

from sympy import S

from kltheory.proving.vocabulary import (
    FORWARD_KL,
    FROZEN_FORWARD_KL,
    OLD,
    POLICY,
    POLICY_PROBABILITY,
    REVERSE_KL,
    E,
    IsConservative,
    LessVarianceAt,
    SameSequenceGradient,
    SameSequenceValue,
    SequenceLoss,
    SequenceObjective,
    ShorterGradientAt,
    VarianceGrowth,
    ahead,
    in_sequence_reward,
    k1,
    k2,
    k3,
    length,
    log_ratio,
    logp,
    past,
    prefix_weight,
    sg,
    to_go,
    token_loss,
    total,
    w,
)

l = log_ratio
TREE = ((("", ".9 .1"), ("0", ".5 .5"), ("1", ".2 .8")), (("", ".5 .5"), ("0", ".5 .5"), ("1", ".5 .5")))
TO_GO, WHOLE = in_sequence_reward(to_go(l)), in_sequence_reward(total(l))
SHARE = 1 - E(POLICY_PROBABILITY)

ROWS = [
    (SameSequenceGradient(TO_GO, REVERSE_KL, POLICY), {"left": in_sequence_reward(l)}),
    (SameSequenceGradient(token_loss(k3), FROZEN_FORWARD_KL, POLICY), {"right": FORWARD_KL}),
    (SameSequenceGradient(token_loss(k3, prefix_weight), REVERSE_KL, OLD), {"left": token_loss(k3, w)}),
    (SameSequenceGradient(in_sequence_reward(l + ahead(l)), REVERSE_KL, POLICY), {"sampler": OLD}),
    (
        SameSequenceGradient(in_sequence_reward(to_go(l) / length), (1 / length) * REVERSE_KL.as_loss, POLICY, True),
        {"fixed_length": False},
    ),
    (SameSequenceValue(REVERSE_KL, SequenceObjective(total(E(l)))), {"right": SequenceObjective(total(E(k2.expr)))}),
    (SameSequenceValue(SequenceObjective(total(k3.expr)), REVERSE_KL), {"left": SequenceObjective(total(k2.expr))}),
    (IsConservative(TO_GO, POLICY), {"left": token_loss(k2)}),
    (IsConservative(token_loss(k2, sg(w)), OLD), {"sampler": POLICY}),
    (VarianceGrowth(TO_GO, E(l) ** 2 * SHARE / 3, 3), {"left": WHOLE}),
    (VarianceGrowth(token_loss(k1), SHARE, 1), {"leading": 2 * SHARE}),
    (
        LessVarianceAt(SequenceObjective(total(E(l))), SequenceObjective(total(l)), *TREE),
        {"right": SequenceObjective(S.Half * total(E(l)))},
    ),
    (
        LessVarianceAt(SequenceObjective(S.Half * total(l)), SequenceObjective(total(l)), *TREE),
        {"left": SequenceObjective(2 * total(l))},
    ),
    (
        LessVarianceAt(SequenceLoss(total(E(l))), 2 * SequenceLoss(total(E(l))), *TREE),
        {"left": 3 * SequenceLoss(total(E(l)))},
    ),
    (LessVarianceAt(TO_GO, in_sequence_reward(l), *TREE), {"left": 2 * TO_GO}),
    (ShorterGradientAt(token_loss(k2), 2 * token_loss(k2), *TREE), {"left": 3 * token_loss(k2)}),
    (ShorterGradientAt(token_loss(k2) - TO_GO, REVERSE_KL, *TREE), {"left": 2 * TO_GO}),
    (ShorterGradientAt(token_loss(k1), TO_GO, *TREE), {"left": 2 * TO_GO}),
    (IsConservative(token_loss(k1), OLD), {"left": SequenceLoss(total(w * k2.expr * sg(past(l))))}),
    (IsConservative(SequenceLoss(total(sg(w * E(l)) * logp)), OLD), {"left": SequenceLoss(total(sg(E(l)) * logp))}),
]
