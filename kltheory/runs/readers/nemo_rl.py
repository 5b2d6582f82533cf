"""NeMo-RL: ``train_data_step*.jsonl``, a line for each sample."""

from kltheory.runs.files import renamed_lines, streamed
from kltheory.runs.reader import Reader

NAMES = {
    "token": "token_ids",
    "logp": "prev_logprobs",
    "logp_sampler": "generation_logprobs",
    "advantage": "advantages",
    "mask": "token_loss_mask",
    "reward": "rewards",
}


READER = Reader(
    "nemo-rl",
    "NeMo-RL's train_data_step*.jsonl: generation_logprobs, prev_logprobs, token_loss_mask, advantages, rewards",
    lambda files: all(f.suffix == ".jsonl" and f.stem.startswith("train_data_step") for f in files),
    lambda files, lost: streamed(files, renamed_lines(NAMES), lost),
    "prev_logprobs are the policy before its first update; there is no reference",
)
