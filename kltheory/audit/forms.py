"""Forms: how an array enters a function that does not take it as a tensor of its role's shape."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final


class Form(StrEnum):
    """What is made of an array on its way into the function; where the array is a variable, it is traced through."""

    PROBABILITY = "probabilities"
    NEGATED = "negated"
    DISTRIBUTION = "distribution"
    DETACHED = "detached"
    LIST = "list"
    CHUNKS = "list of chunks of tokens"
    LABELS = "labels"
    PADDING = "padding"
    COUNT = "number of tokens"
    ROWS = "number of responses"
    RESPONSE = "one a response, all kept"
    PROMPT = "empty prompt"
    COLUMN = "column"
    ONE_AFTER = "one position more at the end"
    ONE_BEFORE = "one position more at the start"
    SEQUENCE = "one a response"
    ARRAY = "array"


IGNORED: Final = -100
"""The label that losses leave out."""


def handed(array: Any, forms: Iterable[Form], framework: str, over_vocabulary: bool) -> Any:
    """An array of the framework, or what its forms make of it, one after the other.

    Args:
        array: as its role has it.
        forms: what is made of it.
        framework: ``jax`` or ``torch``.
        over_vocabulary: whether its last axis is the vocabulary, so that probabilities are those of a softmax.
    """
    for form in forms:
        if form in (Form.ONE_AFTER, Form.ONE_BEFORE) and array.ndim == 1 + over_vocabulary:
            continue  # one token alone has no neighbour
        if form is Form.PROBABILITY and over_vocabulary:
            array = _log_softmax(array, framework)
        array = _MADE[form](array, _library(framework))
    return array


def _library(framework: str) -> Any:
    if framework == "torch":
        import torch

        return torch
    import jax.numpy

    return jax.numpy


def _log_softmax(logits: Any, framework: str) -> Any:
    if framework == "torch":
        return logits.log_softmax(-1)
    import jax

    return jax.nn.log_softmax(logits, -1)


def _distribution(logits: Any, library: Any) -> Any:
    if not hasattr(library, "distributions"):
        raise TypeError("it takes a distribution, and JAX has none of its own: wrap it in a function of logits")
    from torch.distributions import Categorical

    return Categorical(logits=logits)


def _longer(array: Any, library: Any, after: bool) -> Any:
    """The second axis with its first entry once more, where a causal shift takes it away again."""
    more = array[:, :1]
    parts = (array, more) if after else (more, array)
    return library.cat(parts, 1) if hasattr(library, "cat") else library.concatenate(parts, 1)


def _detached(array: Any, library: Any) -> Any:
    if hasattr(array, "detach"):
        return array.detach()
    import jax

    return jax.lax.stop_gradient(array)


_MADE: Final[dict[Form, Callable[[Any, Any], Any]]] = {
    Form.PROBABILITY: lambda array, library: library.exp(array),
    Form.NEGATED: lambda array, _: -array,
    Form.DISTRIBUTION: _distribution,
    Form.DETACHED: _detached,
    Form.LIST: lambda array, _: list(array),
    Form.CHUNKS: lambda array, _: [array[:, i : i + 1] for i in range(array.shape[1])],
    Form.LABELS: lambda mask, library: library.where(mask != 0, 0, IGNORED),
    Form.PADDING: lambda mask, _: ~mask if str(mask.dtype).endswith("bool") else 1 - mask,
    Form.COUNT: lambda mask, _: mask.sum(),
    Form.ROWS: lambda mask, library: library.ones_like(mask.reshape(-1, mask.shape[-1])[:, 0]).sum(),
    Form.RESPONSE: lambda mask, library: library.ones_like(mask[..., 0]),
    Form.PROMPT: lambda array, _: array[..., :0],
    Form.SEQUENCE: lambda array, _: array.sum(-1),
    Form.ONE_AFTER: lambda array, library: _longer(array, library, after=True),
    Form.ONE_BEFORE: lambda array, library: _longer(array, library, after=False),
    Form.COLUMN: lambda array, _: array[..., None],
    Form.ARRAY: lambda array, library: library.asarray(array),
}
