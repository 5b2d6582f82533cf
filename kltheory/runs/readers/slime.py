"""slime and miles: ``train_data/*.pt``, lists of tensors, read with weights only: no code of a file runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kltheory.runs.files import Lost, streamed
from kltheory.runs.pickles import tensors_of
from kltheory.runs.reader import Reader

NAMES = {
    "tokens": "token",
    "log_probs": "logp",
    "ref_log_probs": "logp_ref",
    "rollout_log_probs": "logp_sampler",
    "advantages": "advantage",
    "loss_masks": "mask",
    "rewards": "reward",
}


def _responses(file: Path, lost: Lost) -> Iterator[dict[str, Any]]:
    held = tensors_of(file)
    data = held.get("rollout_data", held)
    step = int(held.get("rollout_id", 0) or 0)
    for i, logps in enumerate(data["log_probs"]):
        own = {name: data[key][i] for key, name in NAMES.items() if key in data}
        length = len(logps)
        row = {k: v[-length:] if isinstance(v, list) else v for k, v in own.items()}
        yield {"step": step, "logp_old": row["logp"], **row}


READER = Reader(
    "slime",
    "slime's train_data/*.pt: log_probs, ref_log_probs, rollout_log_probs, advantages, loss_masks",
    lambda files: all(f.suffix == ".pt" for f in files),
    lambda files, lost: streamed(files, _responses, lost),
    "log_probs are those before the update: the policy and the old policy are the same there",
)
