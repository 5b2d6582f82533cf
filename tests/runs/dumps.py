"""What libraries write, by generators of our own: the same run in the names and the nesting of each."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from synthetic import Plan, drawn

PLAN = Plan(steps=3, groups=3, length=9)
ROWS = drawn(9, PLAN)
LISTS = ("token", "logp", "logp_ref", "logp_old", "logp_sampler", "advantage", "mask")


def responses() -> Iterator[dict]:
    """Each response as lists."""
    for _, rows in ROWS.group_by("step", "response", maintain_order=True):
        lists = {name: rows[name].to_list() for name in LISTS}
        yield {**lists, "step": rows["step"][0], "reward": rows["reward"][0], "group": rows["group"][0]}


def _lines(file: Path, rows: list[dict]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def prime_rl(folder: Path) -> None:
    names = {
        "token": "token_ids",
        "mask": "loss_mask",
        "advantage": "advantages",
        "logp_sampler": "inference_logprobs",
        "logp": "trainer_logprobs",
    }
    for step in range(PLAN.steps):
        own = [r for r in responses() if r["step"] == step]
        for rank in range(2):
            rows = [
                {**{new: r[old] for old, new in names.items()}, "entropy": [0.1] * len(r["logp"])} for r in own[rank::2]
            ]
            _lines(folder / "token_exports" / f"step_{step}" / f"rank_{rank}.jsonl", rows)


def nemo_rl(folder: Path) -> None:
    names = {
        "token": "token_ids",
        "mask": "token_loss_mask",
        "advantage": "advantages",
        "logp_sampler": "generation_logprobs",
        "logp": "prev_logprobs",
        "reward": "rewards",
    }
    for step in range(PLAN.steps):
        rows = [{new: r[old] for old, new in names.items()} for r in responses() if r["step"] == step]
        _lines(folder / f"train_data_step{step}.jsonl", rows)


def open_instruct(folder: Path) -> None:
    rows = [
        {
            "step": r["step"],
            "response_tokens": r["token"],
            "logprobs": r["logp"],
            "reward": r["reward"],
            "advantage": r["advantage"][0],
            "prompt_idx": r["group"],
        }
        for r in responses()
    ]
    _lines(folder / "run_rollouts.jsonl", rows)


def jsonl_of_responses(folder: Path) -> None:
    _lines(folder / "run.jsonl", list(responses()))


def jsonl_of_tokens(folder: Path) -> None:
    _lines(folder / "run.jsonl", ROWS.to_dicts())


def slime(folder: Path) -> None:
    import torch

    for step in range(PLAN.steps):
        own = [r for r in responses() if r["step"] == step]
        data = {
            "tokens": [[0, 1, *r["token"]] for r in own],  # the prompt's tokens stand in front
            "log_probs": [torch.tensor(r["logp"], dtype=torch.float64) for r in own],
            "ref_log_probs": [torch.tensor(r["logp_ref"], dtype=torch.float64) for r in own],
            "rollout_log_probs": [torch.tensor(r["logp_sampler"], dtype=torch.float64) for r in own],
            "advantages": [torch.tensor(r["advantage"], dtype=torch.float64) for r in own],
            "loss_masks": [[int(x) for x in r["mask"]] for r in own],
            "rewards": [r["reward"] for r in own],
        }
        folder.joinpath("train_data").mkdir(parents=True, exist_ok=True)
        torch.save({"rollout_id": step, "rollout_data": data}, folder / "train_data" / f"{step}.pt")


def npz(folder: Path) -> None:
    for step in range(PLAN.steps):
        own = [r for r in responses() if r["step"] == step]
        longest = max(len(r["logp"]) for r in own)

        arrays = {
            name: np.array([[*map(float, r[name]), *[0.0] * (longest - len(r[name]))] for r in own]) for name in LISTS
        }
        np.savez(folder / f"step_{step}.npz", **arrays, reward=np.array([r["reward"] for r in own]))


def parquet(folder: Path) -> None:
    ROWS.write_parquet(folder / "run.parquet")


def renamed_csv(folder: Path) -> None:
    ROWS.rename({"logp": "log_probs", "logp_ref": "ref_log_prob", "advantage": "advantages"}).write_csv(
        folder / "run.csv"
    )


def arrow(folder: Path) -> None:
    ROWS.write_ipc(folder / "run.arrow")


DUMPS: dict[str, tuple[Callable[[Path], None], str, set[str]]] = {
    "prime-rl": (prime_rl, "prime-rl", {"logp_ref", "reward", "group"}),
    "nemo-rl": (nemo_rl, "nemo-rl", {"logp_ref", "logp_old", "group"}),
    "open-instruct": (open_instruct, "open-instruct", {"logp_ref", "logp_old", "mask"}),
    "slime": (slime, "slime", {"group"}),
    "json lines of responses": (jsonl_of_responses, "jsonl", set()),
    "json lines of tokens": (jsonl_of_tokens, "jsonl", set()),
    "numpy archives": (npz, "npz", {"group"}),
    "parquet": (parquet, "parquet", set()),
    "csv": (renamed_csv, "csv", set()),
    "arrow": (arrow, "arrow", set()),
}
"""How it is written, which reader takes it, and the columns that the format has not."""
