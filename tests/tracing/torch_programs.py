"""Random surrogate functions in PyTorch: straight-line programs of the spellings people use, the same in every run."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed; `make test` installs it")
F = torch.nn.functional

UNARY: dict[str, list[Callable[[Any], Any]]] = {
    "exp": [lambda x: torch.exp(x.clamp(-3, 2)), lambda x: x.tanh().exp(), lambda x: x.clip(max=1.5).exp_()],
    "log": [lambda x: torch.log(x.abs() + 0.5), lambda x: x.square().log1p(), lambda x: (x * x + 1).log_()],
    "sqrt": [lambda x: torch.sqrt(x**2 + 0.3), lambda x: (x.exp() + 1).rsqrt(), lambda x: 1 / (2 + x.abs())],
    "sigmoid": [torch.sigmoid, lambda x: x.sigmoid(), F.logsigmoid, lambda x: F.softplus(x)],
    "linear": [torch.neg, lambda x: 0.1 * x, lambda x: x / 3 - 1, lambda x: 2 - x, lambda x: x.add(0.25).mul_(0.5)],
    "clamp": [lambda x: x.clamp(-0.4, 0.8), lambda x: torch.clip(x, min=-0.2), lambda x: x.clone().clamp_(max=0.3)],
    "abs": [abs, torch.abs, F.relu, lambda x: x.relu(), lambda x: torch.sign(x) * x.tanh()],
    "detach": [lambda x: x.detach(), lambda x: x.data, lambda x: (x * 1).detach_(), lambda x: x - x.detach()],
    "cast": [lambda x: x.double(), lambda x: x.to(torch.float64), lambda x: x.float(), lambda x: x.float().type_as(x)],
    "shape": [lambda x: x.unsqueeze(0).expand(2, -1).mean(0), lambda x: x.reshape(1, -1)[0], lambda x: x[None].sum(0)],
}
BINARY: dict[str, list[Callable[[Any, Any], Any]]] = {
    "add": [lambda x, y: x + y, torch.add, lambda x, y: x.clone().add_(y, alpha=0.5), lambda x, y: x.sub(y)],
    "mul": [lambda x, y: x * y.tanh(), lambda x, y: torch.mul(y, 0.5), lambda x, y: y.sigmoid().mul(x)],
    "div": [
        lambda x, y: x / (1 + y * y),
        lambda x, y: torch.div(x, y.exp() + 1),
        lambda x, y: x.true_divide(2 + y.abs()),
    ],
    "max": [torch.max, torch.minimum, lambda x, y: x.maximum(y), lambda x, y: torch.clamp(x, max=y)],
    "where": [
        lambda x, y: torch.where(x > y, x * 2, y),
        lambda x, y: x.masked_fill(y > 0.1, 0.5),
        lambda x, y: x * (y < x).to(x.dtype),
        lambda x, y: torch.where((x > 0) & ~(y > x), y, x.exp().clamp(max=3)),
    ],
    "no_grad": [lambda x, y: _without_gradient(x) * y, lambda x, y: _straight_through(x, y)],
    "edit": [lambda x, y: _edited(x, y), lambda x, y: torch.stack([x, y]).mean(0), lambda x, y: _largest(x, y)],
}


def _without_gradient(x):
    with torch.no_grad():
        return x.exp().clamp(max=2) + 0.1


def _straight_through(x, y):
    return y + (x - y).detach()


def _edited(x, y):
    out = torch.zeros_like(x)
    out[:] = x
    out[y > 0] = 0.5
    return out.masked_fill_(x > 1, 1.0) + y


def _largest(x, y):
    return torch.cat([x[None], y[None], 0.3 * x[None] - y]).amax(0)


Program = list[tuple[Callable[..., Any], tuple[int, ...]]]
OPERATIONS = [(f, 1) for row in UNARY.values() for f in row] + [(f, 2) for row in BINARY.values() for f in row]


def program(seed: int) -> Program:
    """Two to nine steps: each takes one or two of the last four values. The last value is returned."""
    random = Random(seed)
    steps = (random.choice(OPERATIONS) for _ in range(random.randint(2, 9)))
    return [(f, tuple(random.randrange(4) for _ in range(taken))) for f, taken in steps]


def run(program: Program, arguments: dict[str, Any]) -> Any:
    values = [*arguments.values()]
    for f, places in program:
        values.append(f(*(values[-1 - place % len(values)] for place in places)))
    return values[-1]
