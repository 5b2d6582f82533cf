"""What is found in a run: answers, not numbers. A rule is a function of what was measured; a new one is a new row."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from kltheory.audit.finding import Finding
from kltheory.runs.codes import RunCode
from kltheory.runs.measured import Measured
from kltheory.runs.moments import Mean
from kltheory.runs.schema import COLUMNS

CLUSTERS: Final = 30
"""Of fewer independent draws no mean is said to be off."""
SURE: Final = 5.0
"""Standard errors from where a mean ought to be: heavy tails pull far fewer draws than a normal law's 4 lets expect."""
SLIGHT: Final = 1e-3
"""A mean that is off by less is off by what precision costs."""


def findings(measured: Measured) -> list[Finding]:
    """All that is found, the worst first."""
    every = [found for rule in RULES for found in rule(measured)]
    return sorted(every, key=lambda f: -f.level)


def _is_off(mean: Mean) -> bool:
    return mean.clusters >= CLUSTERS and abs(mean.value) > SLIGHT and abs(mean.z) > SURE


def _shown(mean: Mean) -> str:
    return f"{mean.value:.3g} ± {mean.error:.1g}"


def _data(mean: Mean) -> dict[str, float]:
    return {"value": mean.value, "error": mean.error, "clusters": mean.clusters}


# --- who drew the tokens ----------------------------------------------------------------------------------------------
def weights_off(m: Measured) -> Iterator[Finding]:
    """E w = 1 fails."""
    mean = m.means.get("weight_excess")
    if mean is not None and _is_off(mean):
        yield Finding(RunCode.WEIGHTS_OFF, f"w - 1 averages {_shown(mean)}, and not 0", _data(mean))


def sampler_off(m: Measured) -> Iterator[Finding]:
    """E π_old/π_sampler = 1 fails."""
    mean = m.means.get("drift_excess")
    if mean is not None and _is_off(mean):
        yield Finding(RunCode.SAMPLER_OFF, f"π_old/π_sampler - 1 averages {_shown(mean)}, and not 0", _data(mean))


APART: Final = 0.02
"""Nats a token: bfloat16 kernels of two engines stay below."""


def engines_apart(m: Measured) -> Iterator[Finding]:
    """The trainer's and the engine's log-probabilities differ."""
    mean = m.means.get("drift_abs")
    if mean is not None and mean.value > APART:
        yield Finding(RunCode.ENGINES_APART, f"they differ by {_shown(mean)} nats a token", _data(mean))


def support(m: Measured) -> Iterator[Finding]:
    """What the reference reaches and the samples do not."""
    name = "reference_mass_weighted" if "logp_old" in m.run.columns else "reference_mass"
    mean = m.means.get(name)
    if mean is not None and _is_off(mean):
        text = f"e^-l - 1 averages {_shown(mean)}: of the reference's mass {-mean.value:.1%} is never drawn"
        short = f"e^-l - 1 averages {_shown(mean)}, and not 0"
        yield Finding(RunCode.SUPPORT, text if mean.value < 0 else short, _data(mean))


FEW: Final = 0.1
"""The share of whole responses that count, by their weights, below which few do."""


def few_count(m: Measured) -> Iterator[Finding]:
    """The effective sample size of whole responses."""
    whole = m.responses
    if whole is not None and whole.sample_size is not None and whole.count >= CLUSTERS and whole.sample_size < FEW:
        longest = f"; {whole.by_length[-1][1]:.1%} of the longest quarter" if whole.by_length else ""
        yield Finding(
            RunCode.FEW_COUNT,
            f"weighed by the product of its tokens' weights, {whole.sample_size:.1%} of the responses count{longest}",
            {"share": whole.sample_size, "by_length": [list(pair) for pair in whole.by_length]},
        )


# --- rewards ----------------------------------------------------------------------------------------------------------
MOST: Final = 0.5
"""Of groups, or of all that is pulled: more is the larger part."""


def one_mind(m: Measured) -> Iterator[Finding]:
    """Groups without an advantage."""
    whole = m.responses
    if whole is not None and whole.of_one_mind is not None and whole.of_one_mind > MOST:
        yield Finding(
            RunCode.ONE_MIND, f"in {whole.of_one_mind:.0%} of {whole.groups} groups", {"share": whole.of_one_mind}
        )


NOISY: Final = 1.0
"""χ²(π_ref‖π) of a token is the variance of e^-l, whose mean is 1: beyond this it deviates by more than its mean."""


def noisy_k3(m: Measured) -> Iterator[Finding]:
    """χ² of the reference from the policy."""
    mean = m.means.get("chi2_reference")
    if mean is not None and mean.value > NOISY:
        yield Finding(RunCode.NOISY_K3, f"χ²(π_ref‖π) is about {_shown(mean)} a token", _data(mean))


# --- the loss at these tokens -----------------------------------------------------------------------------------------
LET_GO: Final = 0.02
"""The share of all |l| that tokens have on which the penalty does not pull."""
PUSHED_AWAY: Final = 0.01
"""The share of tokens that it pushes away."""


def dead_penalty(m: Measured) -> Iterator[Finding]:
    """Tokens that the penalty lets go."""
    share, held = m.means.get("penalty_dead"), m.means.get("distance_dead")
    if share is not None and held is not None and held.value > LET_GO:
        away = f"{share.value:.1%} of the tokens away from the reference are not pulled"
        text = f"{away}; they have {held.value:.1%} of all |l|"
        yield Finding(RunCode.DEAD_PENALTY, text, {"tokens": share.value, "distance": held.value})


def reversed_penalty(m: Measured) -> Iterator[Finding]:
    """Tokens that the penalty pushes away."""
    mean = m.means.get("penalty_reversed")
    if mean is not None and mean.value > PUSHED_AWAY:
        yield Finding(RunCode.REVERSED_PENALTY, f"{mean.value:.1%} of the tokens away from the reference", _data(mean))


MUCH: Final = 0.3
"""A good part: of the advantages that do nothing, of all that is pulled by one token in a thousand."""


def clipped(m: Measured) -> Iterator[Finding]:
    """Advantages that do nothing."""
    shares = {s: m.means[name].value for s, name in (("A > 0", "dead_good"), ("A < 0", "dead_bad")) if name in m.means}
    if any(x > MUCH for x in shares.values()):
        text = ", ".join(f"{x:.1%} of the tokens with {s}" for s, x in shares.items())
        yield Finding(RunCode.CLIPPED, text, dict(shares))


def penalty_rules(m: Measured) -> Iterator[Finding]:
    """The penalty's part in all that is pulled."""
    mean = m.means.get("penalty_share")
    if mean is not None and mean.value > MOST:
        yield Finding(RunCode.PENALTY_RULES, f"it has {mean.value:.1%} of all that is pulled", _data(mean))


def few_tokens(m: Measured) -> Iterator[Finding]:
    """What the strongest tokens have."""
    if m.pulled is not None and m.pulled.top > MUCH:
        yield Finding(
            RunCode.FEW_TOKENS,
            f"0.1 % of the tokens have {m.pulled.top:.1%} of all that is pulled",
            {"share": m.pulled.top},
        )


UNLIKE: Final = 0.9
"""A cosine below this is another direction."""


def other_target(m: Measured) -> Iterator[Finding]:
    """The penalty's pull beside w l, both without their means, which pull nothing."""
    if not {"penalty_square", "target_square"} <= m.means.keys():
        return
    found = {name: mean.value for name, mean in m.means.items()}
    cross = found["penalty_target"] - found["penalty_mean"] * found["target_mean"]
    own = found["penalty_square"] - found["penalty_mean"] ** 2
    target = found["target_square"] - found["target_mean"] ** 2
    if own <= 0 or target <= 0:
        return
    cosine = cross / np.sqrt(own * target)
    if cosine < UNLIKE:
        text = f"over these tokens its correlation with w l is {cosine:.2f}, its multiple {cross / target:.3g}"
        yield Finding(RunCode.OTHER_TARGET, text, {"correlation": float(cosine), "multiple": cross / target})


def endless(m: Measured) -> Iterator[Finding]:
    """Tokens without a finite pull."""
    if m.pulled is not None and m.pulled.endless:
        yield Finding(RunCode.ENDLESS, f"at {m.pulled.endless} tokens", {"tokens": m.pulled.endless})


# --- over the steps ---------------------------------------------------------------------------------------------------
STEPS: Final = 8
"""Of fewer steps none is said to be unlike the others."""
TIMES: Final = 5.0
"""How many times the usual mean a spike is."""
WATCHED: Final = ("k3", "weight_squared", "drift_abs", "pull_abs")
"""Means that grow where something goes wrong."""


def spikes(m: Measured) -> Iterator[Finding]:
    """Steps at which a mean is many times what it usually is, beyond its error."""
    for name in WATCHED:
        if name not in m.means:
            continue
        series = [(step, mean) for step, mean in m.by_step(name) if np.isfinite(mean.value)]
        usual = float(np.median([mean.value for _, mean in series])) if len(series) >= STEPS else np.inf
        for step, mean in series:
            error = mean.error if np.isfinite(mean.error) else 0.0
            if mean.value > TIMES * usual > 0 and mean.value - usual > SURE * error:
                text = f"step {step}: {name} is {_shown(mean)}, where {usual:.3g} is usual"
                yield Finding(RunCode.SPIKE, text, {"step": step, "measure": name, "usual": usual, **_data(mean)})


# --- what was left out ------------------------------------------------------------------------------------------------
def bad_rows(m: Measured) -> Iterator[Finding]:
    """Rows and lines that do not count."""
    yield from (
        Finding(RunCode.BAD_ROWS, f"{n} of {m.run.total} rows: {text}", {"rows": n}) for text, n in m.run.faults.items()
    )
    yield from (Finding(RunCode.BAD_ROWS, line) for line in m.lost)


def not_measured(m: Measured) -> Iterator[Finding]:
    """Columns that are missing."""
    told = [n for n in m.missing if n in ("logp_ref", "logp_old", "logp_sampler", "advantage", "reward", "group")]
    if told:
        text = "; ".join(f"{n} ({COLUMNS[n].meaning})" for n in told)
        yield Finding(RunCode.NOT_MEASURED, text, {"columns": told})


RULES: Final[tuple[Callable[[Measured], Iterator[Finding]], ...]] = (
    weights_off,
    sampler_off,
    engines_apart,
    support,
    few_count,
    dead_penalty,
    reversed_penalty,
    other_target,
    penalty_rules,
    few_tokens,
    endless,
    spikes,
    clipped,
    one_mind,
    noisy_k3,
    bad_rows,
    not_measured,
)
