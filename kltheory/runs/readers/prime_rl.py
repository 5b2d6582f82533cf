"""prime-rl: ``token_exports/step_*/rank_*.jsonl``, a line for each sequence."""

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
            "logp": row.get("trainer_logprobs"),
            "logp_sampler": row.get("inference_logprobs"),
            "logp_old": row.get("inference_logprobs"),
            "advantage": row.get("advantages"),
            "mask": row.get("loss_mask"),
        }


READER = Reader(
    "prime-rl",
    "prime-rl's token_exports: token_ids, loss_mask, advantages, inference_logprobs, trainer_logprobs",
    lambda files: all(f.suffix == ".jsonl" and f.stem.startswith("rank_") for f in files),
    lambda files, lost: streamed(files, _responses, lost),
    "its importance weight is over the inference engine's policy, so logp_old is logp_sampler; there is no reference",
)
