"""Surroundings: what a trainer has about it that says nothing of its loss, as in a run of one process on a CPU."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final


class OneProcess:
    """An accelerator, a mesh, a strategy of one process: what is gathered, reduced or padded is what was there."""

    num_processes = world_size = 1
    process_index = local_process_index = 0
    is_main_process = is_local_main_process = sync_gradients = True
    mixed_precision = "no"
    parallelism_config = deepspeed_plugin = scaler = None

    @property
    def device(self) -> Any:
        """The CPU."""
        import torch

        return torch.device("cpu")

    def gather(self, values: Any, *_: Any, **__: Any) -> Any:
        """The values of all processes: those of this one."""
        return values

    gather_for_metrics = reduce = pad_across_processes = unwrap_model = all_reduce = all_gather = gather

    def wait_for_everyone(self) -> None:
        """Nobody else is there."""

    print = log = backward = wait_for_everyone


def metrics() -> Any:
    """What numbers are collected in."""
    return defaultdict(lambda: defaultdict(list))


KNOWN: Final[dict[str, Callable[[], Any]]] = {
    "accelerator": OneProcess,
    "strategy": OneProcess,
    "fabric": OneProcess,
    "_metrics": metrics,
    "metrics": metrics,
    "_stats": metrics,
    "stats": metrics,
    "_logs": metrics,
    "training": lambda: True,
    "device": lambda: OneProcess().device,
    "current_gradient_accumulation_steps": lambda: 1,
    "gradient_accumulation_steps": lambda: 1,
    "num_processes": lambda: 1,
    "world_size": lambda: 1,
    "global_step": lambda: 0,
    "_step": lambda: 0,
}
"""By the last name of a path."""


NO_GROUP: Final = "process group has not been initialized"
"""What PyTorch says where a function asks others that are not there."""


def _gathered(into: list[Any], values: Any, *_: Any, **__: Any) -> None:
    into[0].copy_(values)


ALONE: Final[dict[str, Callable[..., Any]]] = {
    "get_world_size": lambda *_, **__: 1,
    "get_rank": lambda *_, **__: 0,
    "all_gather": _gathered,
    **dict.fromkeys(("all_reduce", "broadcast", "reduce", "barrier"), lambda *_, **__: None),
}
"""Of ``torch.distributed``, in a run of one process: a sum over all is what was there."""


@contextmanager
def alone() -> Iterator[None]:
    """Whoever asks ``torch.distributed`` meanwhile is the only process."""
    import torch.distributed as others

    before = {name: getattr(others, name) for name in ALONE}
    try:
        for name, function in ALONE.items():
            setattr(others, name, function)
        yield
    finally:
        for name, function in before.items():
            setattr(others, name, function)
