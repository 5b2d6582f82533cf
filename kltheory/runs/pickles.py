"""Files of PyTorch and pickles are code. They are read with ``weights_only``, or not at all."""

from pathlib import Path
from typing import Any

from kltheory.runs.schema import NoRun


def tensors_of(file: Path) -> dict[str, Any]:
    """The tensors of a file as lists, in the mapping that it holds. Loads PyTorch.

    Raises:
        NoRun: PyTorch is not there, or the file holds more than tensors, numbers, texts and containers of them.
    """
    try:
        import torch
    except ModuleNotFoundError:
        raise NoRun(f"{file.name} needs PyTorch to be read: pip install 'kltheory[torch]'") from None
    try:
        held = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as e:
        raise NoRun(
            f"{file.name} is not read: it holds more than tensors, and to unpickle it would run its code. Save its "
            f"arrays with numpy.savez, or as Parquet in the names of the schema ({str(e).splitlines()[0]})"
        ) from None
    if not isinstance(held, dict):
        raise NoRun(f"{file.name} holds a {type(held).__name__}, and no mapping of names to tensors")
    return {str(k): _plain(v) for k, v in held.items()}


def _plain(x: Any) -> Any:
    if hasattr(x, "tolist"):
        return x.tolist()
    if isinstance(x, dict):
        return {str(k): _plain(v) for k, v in x.items()}
    return [_plain(v) for v in x] if isinstance(x, (list, tuple)) else x
