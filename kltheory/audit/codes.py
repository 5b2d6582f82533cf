"""The codes of findings: a row for each kind of thing that an audit says.

The hundreds are subjects: 1 gradients, 2 numbers, 3 masks and batches, 4 what is not decided, 5 what could not run, 9
notes. A number that was given is never given to something else.
"""

from enum import Enum, IntEnum


class Level(IntEnum):
    """How serious a finding is. The value is the exit status of an audit with nothing worse."""

    NOTE = 0
    ALARM = 1
    UNDECIDED = 2
    FAILURE = 3


class Kind(Enum):
    """One kind of finding. A table of them is a class of its own, with the kinds as its members.

    Attributes:
        number: what stands in reports, ``KL101``.
        level: how serious it is.
        meaning: what it says, of any function.
        change: what to change where it is not meant; empty where there is nothing to change.
        probe: the name of the probe that sees it; empty where it is read off the formula.
    """

    def __init__(self, number: str, level: Level, meaning: str, change: str = "", probe: str = "") -> None:
        self.number, self.level, self.meaning, self.change, self.probe = number, level, meaning, change, probe

    @property
    def label(self) -> str:
        """The short name, ``no_gradient``."""
        return self.name.lower()


class Code(Kind):
    """What an audit says of a function."""

    # fmt: off
    # --- gradients ----------------------------------------------------------------------------------------------------
    NO_GRADIENT = (
        "KL101", Level.ALARM,
        "no derivative flows from the output to the policy's log-probabilities",
        "take away the detach, stop_gradient or no_grad around it, or put it in the reward",
    )
    ADVANTAGE_WITHOUT_GRADIENT = (
        "KL102", Level.ALARM,
        "with an advantage of one sign no action is pushed, whatever the policies",
        "look for the clip or the mask that stops this sign; a pessimistic clip is min(w*A, clip(w)*A)",
    )
    ADVANTAGE_REVERSED = (
        "KL103", Level.ALARM,
        "minimising it makes actions with a positive advantage rarer",
        "put a minus in front of the part with the advantage",
    )
    REFERENCE_NOT_IN_GRADIENT = (
        "KL104", Level.ALARM,
        "as a loss its derivative does not change with the reference",
        "use k2 as a loss, or k1 in the reward or with a weight that is differentiated",
    )
    NO_EXPECTED_GRADIENT = (
        "KL105", Level.ALARM,
        "each sample has a derivative, and their mean is zero",
        "put the number in the reward: detached, times log π",
    )
    SIGN_REVERSED = (
        "KL106", Level.ALARM,
        "minimising it ascends a divergence",
        "turn the sign, or say --as loss alone where what is maximised is meant as a reward",
    )
    ARGUMENTS_SWAPPED = (
        "KL107", Level.ALARM,
        "its value estimates KL(π‖π_ref) only after policy and reference are exchanged",
        "exchange the two arguments, or say which is which with --args",
    )
    WEIGHT_COUNTED_TWICE = (
        "KL108", Level.ALARM,
        "off-policy the importance weight enters twice",
        "take one of the two factors away",
    )
    VALUE_AND_GRADIENT_DIFFER = (
        "KL109", Level.ALARM,
        "the value estimates one divergence, and the gradient as a loss is that of another",
        "multiply with a weight that is differentiated, π/π_old, for the gradient of what the value estimates",
    )
    DEAD_ZONE = (
        "KL110", Level.ALARM,
        "the gradient vanishes on an interval that begins within 5 nats of the reference",
        "move the clamp further out, or let it cut the value alone and not the derivative",
        "dead_zone",
    )
    DEAD_ZONE_FAR = (
        "KL111", Level.NOTE,
        "the gradient vanishes on an interval that begins further than 5 nats from the reference",
        "move the clamp further out where policies get that far",
        "dead_zone",
    )
    UNNORMALISED = (
        "KL112", Level.ALARM,
        "a number added to all logits of a position changes the output",
        "hand over log_softmax(logits), or normalise inside",
    )

    # --- numbers ------------------------------------------------------------------------------------------------------
    NOT_FINITE = (
        "KL201", Level.ALARM,
        "value or gradient is inf or NaN within 20 nats of the reference, in a type wider than float16",
        "bound the log-ratio before it is exponentiated",
        "not_finite",
    )
    NOT_FINITE_FAR = (
        "KL202", Level.NOTE,
        "value or gradient is inf or NaN further than 20 nats from the reference, or in float16 alone",
        "bound the log-ratio before it is exponentiated",
        "not_finite",
    )
    CANCELLATION = (
        "KL203", Level.NOTE,
        "close to the reference the value loses its digits in a narrow type",
        "compute it in float32 or wider, or write exp(x) - 1 as expm1(x)",
        "cancellation",
    )

    # --- masks and batches --------------------------------------------------------------------------------------------
    MASKED_JUNK = (
        "KL301", Level.ALARM,
        "1e4 or -inf at a masked position reaches the value or the gradient",
        "choose the numbers with where(mask, x, 0) before they are computed with; a product with 0 is not enough",
        "masked_junk",
    )
    MASKED_NAN = (
        "KL302", Level.NOTE,
        "NaN at a masked position reaches the value or the gradient",
        "choose the numbers with where(mask, x, 0) before they are computed with",
        "masked_junk",
    )
    PADDING = (
        "KL303", Level.ALARM,
        "one more masked column changes the output: the average counts padding",
        "divide by mask.sum() and not by the number of entries",
        "padding",
    )
    BATCH_SIZE = (
        "KL304", Level.NOTE,
        "the same batch twice gives another output: a sum, or a fixed divisor",
        "divide by a number that grows with the batch where the step is not meant to",
        "batch_size",
    )
    VOCABULARY_MEAN = (
        "KL305", Level.ALARM,
        "one more action of no probability changes the output: it averages over the vocabulary",
        "sum over the last axis",
        "vocabulary_mean",
    )
    CHANGES_INPUT = (
        "KL306", Level.ALARM,
        "it changes one of its arguments in place",
        "write x = x + y for x += y, or clone the argument",
    )

    # --- not decided --------------------------------------------------------------------------------------------------
    RANDOM = (
        "KL401", Level.UNDECIDED,
        "calls with the same inputs give different results",
        "switch dropout and sampling off, or hand over the random numbers as an argument",
    )
    SHAPE = (
        "KL402", Level.UNDECIDED,
        "the output has another shape than a number for each token, for each response, or for all",
        "return one of these, or choose one of several outputs with --output",
    )
    COUPLED = (
        "KL403", Level.UNDECIDED,
        "the derivative at one token depends on another token",
        "audit the function that is applied to each token, before what joins them",
    )
    TOKENS_DIFFER = (
        "KL404", Level.UNDECIDED,
        "tokens have different formulas",
        "audit the parts that tokens are treated with one by one",
    )
    ADVANTAGE_UNREAD = (
        "KL405", Level.UNDECIDED,
        "what becomes of the advantage was not read",
        "audit the loss without what bounds or normalises the advantage",
    )
    ROW_UNDECIDED = (
        "KL406", Level.UNDECIDED,
        "what one placement descends was not decided",
    )
    ROW_DISAGREES = (
        "KL407", Level.UNDECIDED,
        "the expected gradient of the running function is not the derived one",
        "report it with the function: the formula does not describe it on larger arrays",
    )

    # --- could not run ------------------------------------------------------------------------------------------------
    RAISES = (
        "KL501", Level.FAILURE,
        "the function raises on every batch it was offered",
        "say what it misses with --set and --args",
    )
    NO_POLICY = (
        "KL502", Level.FAILURE,
        "no argument is known to hold the policy's log-probabilities; it says how to name one",
    )
    CANNOT_RUN = (
        "KL503", Level.FAILURE,
        "the function cannot be called, or what it gives cannot be read",
        "say which arguments hold what with --args, and which output is meant with --output",
    )

    # --- notes --------------------------------------------------------------------------------------------------------
    ASSUMED = (
        "KL901", Level.NOTE,
        "an argument was given a value or a form that nothing but its use tells",
        "--set NAME=VALUE and --args ROLE=NAME say otherwise",
    )
    READ_OVER_VOCABULARY = (
        "KL902", Level.NOTE,
        "the last axis is read as the vocabulary, since every term is weighed with a probability",
    )
    NO_PENALTY = (
        "KL903", Level.NOTE,
        "nothing is left where the advantages are 0: there is no penalty",
    )
    PENALTY_ALONE = (
        "KL904", Level.NOTE,
        "the tables are of the penalty alone: what is left where the advantages are 0",
    )
    MEASURED = (
        "KL905", Level.NOTE,
        "there is no formula: it was measured",
    )
    LEFT_OUT = (
        "KL906", Level.NOTE,
        "a small constant is left out of the formula",
    )
    RECOGNISED = (
        "KL907", Level.NOTE,
        "on responses of two and three tokens it has the gradient of a form that libraries write",
    )
    COUPLED_ON_RESPONSES = (
        "KL908", Level.NOTE,
        "tokens of one response meet, and what it descends was found on whole responses",
    )
    RESPONSES_COUPLED = (
        "KL909", Level.NOTE,
        "the derivative in one response depends on another response: there is no table of whole responses",
    )
    NOT_ON_RESPONSES = (
        "KL910", Level.NOTE,
        "on whole responses it raises or is not finite: there is no table of them",
    )
    NOT_PROBED = (
        "KL911", Level.NOTE,
        "a probe could not run",
        "",
        "not_probed",
    )
    # fmt: on
