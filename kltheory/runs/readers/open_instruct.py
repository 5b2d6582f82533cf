"""open-instruct: JSON lines of rollouts with the sampler's log-probabilities alone."""

from kltheory.runs.files import renamed_lines, streamed
from kltheory.runs.reader import Reader

NAMES = {
    "step": "step",
    "token": "response_tokens",
    "logp": "logprobs",
    "logp_sampler": "logprobs",
    "advantage": "advantage",
    "reward": "reward",
    "group": "prompt_idx",
}


READER = Reader(
    "open-instruct",
    "open-instruct's rollouts: response_tokens, logprobs, reward, advantage",
    lambda files: all(f.suffix == ".jsonl" and "rollouts" in f.stem for f in files),
    lambda files, lost: streamed(files, renamed_lines(NAMES), lost),
    "the log-probabilities are the sampler's: nothing is known of the policy after an update, or of a reference",
)
