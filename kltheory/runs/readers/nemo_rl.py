"""NeMo-RL: ``train_data_step*.jsonl``, a line for each sample."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kltheory.runs.files import Lost, json_lines, step_in, streamed
from kltheory.runs.reader import Reader


def _responses(file: Path, lost: Lost) -> Iterator[dict[str, Any]]:
    for row in json_lines(file, lost):
        yield {
            "step": step_in(file),
            "token": row.get("token_ids"),
            "logp": row.get("prev_logprobs"),
            "logp_sampler": row.get("generation_logprobs"),
            "advantage": row.get("advantages"),
            "mask": row.get("token_loss_mask"),
            "reward": row.get("rewards"),
        }


READER = Reader(
    "nemo-rl",
    "NeMo-RL's train_data_step*.jsonl: generation_logprobs, prev_logprobs, token_loss_mask, advantages, rewards",
    lambda files: all(f.suffix == ".jsonl" and f.stem.startswith("train_data_step") for f in files),
    lambda files, lost: streamed(files, _responses, lost),
    "prev_logprobs are the policy before its first update; there is no reference",
)
