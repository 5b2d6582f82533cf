"""Evidence against a claim about responses: a tree on which it does not hold, every response of it looked at."""

from random import Random
from typing import Any

import mpmath
from fuzz.cells import Unclear
from fuzz.complaint import always_fails, close
from fuzz.dual import NoValue
from fuzz.forest import Forest
from fuzz.response_case import ResponseCase
from fuzz.trees import Tree, trees


def against(case: ResponseCase, r: Random, rounds: int = 1) -> str:
    """A tree on which the claim does not hold, with numbers; empty where none is found."""
    for _ in range(rounds):
        for tree in trees(r, case.fixed):
            try:
                if found := always_fails(lambda tree=tree: _differs(case, tree), (50, 150)):
                    return found
            except (Unclear, NoValue):
                continue
    return ""


def _differs(case: ResponseCase, tree: Tree) -> str:
    if case.kind == "IsConservative":
        a, b = curl(tree, case.left, case.on_policy)
        equal = abs(a - b) <= mpmath.mpf(10) ** -(mpmath.mp.dps // 3) * max(1, abs(a), abs(b))
    else:
        if case.kind == "SameSequenceValue":
            a, b = map(Forest(tree, False).value, (case.left, case.right))
        else:
            a, b = map(Forest(tree, case.on_policy).gradient, (case.left, case.right), case.objectives)
        equal = close(a, b)
    shape = f"V = {tree.size}, T = {tree.length}{', token 0 ends' if tree.ends else ''}"
    return "" if equal else f"{mpmath.nstr(a, 12)} and {mpmath.nstr(b, 12)} on a tree with {shape}"


def curl(tree: Tree, text: str, on_policy: bool) -> tuple[Any, Any]:
    """∂_a g_b and ∂_b g_a in two directions: central differences at twice the digits that are compared."""
    step = mpmath.mpf(10) ** -(mpmath.mp.dps // 4)
    with mpmath.workdps(2 * mpmath.mp.dps):

        def moved(a: int) -> Any:
            ends = [Forest(tree.moved(a, s * step), on_policy, 1 - a).gradient(text) for s in (1, -1)]
            return (ends[0] - ends[1]) / (2 * step)

        return moved(0), moved(1)
