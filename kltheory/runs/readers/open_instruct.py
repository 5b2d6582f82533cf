"""open-instruct: JSON lines of rollouts with the sampler's log-probabilities alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kltheory.runs.files import Lost, json_lines, step_in, streamed
from kltheory.runs.reader import Reader


def _responses(file: Path, lost: Lost) -> Iterator[dict[str, Any]]:
    for row in json_lines(file, lost):
        logps = row.get("logprobs")
        yield {
            "step": row.get("step", step_in(file)),
            "token": row.get("response_tokens"),
            "logp": logps,
            "logp_sampler": logps,
            "advantage": row.get("advantage"),
            "reward": row.get("reward"),
            "group": row.get("prompt_idx"),
        }


READER = Reader(
    "open-instruct",
    "open-instruct's rollouts: response_tokens, logprobs, reward, advantage",
    lambda files: all(f.suffix == ".jsonl" and "rollouts" in f.stem for f in files),
    lambda files, lost: streamed(files, _responses, lost),
    "the log-probabilities are the sampler's: nothing is known of the policy after an update, or of a reference",
)
