#!/usr/bin/env python3
"""Samples mutants of our own source, and runs the fast tests of their layer against each.

    python tools/mutants.py --seed 1 --each 100            # of every layer
    python tools/mutants.py --seed 1 --each 100 calculus   # of one
    python tools/mutants.py --seed 1 --each 100 calculus --only 17 42

The mutants are mutmut's, of every line and not only of undecorated functions, and two kinds that it lacks: an ``if``
that always or never holds, and an operand that is dropped. A mutant is written into a copy of the project and meets
tests that are in no record (:mod:`which_tests`), those that run its line, fastest first, then others that run its
module, until one fails. What survives is printed, to be read: it is equivalent, a test is missing, or the line goes.
"""

import argparse
import ast
import difflib
import random
import shutil
import tempfile
from collections import Counter
from importlib.util import cache_from_source
from itertools import islice
from pathlib import Path

import jax  # noqa: F401 (as SymPy: no forked process loads it again)
import libcst as cst
import pytest
import sympy  # noqa: F401
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import deep_replace
from mutmut.mutation.mutators import mutation_operators, operator_if_exp, operator_string
from which_tests import LAYERS, PYTEST, ROOT, Plugin, inside, recorded, tests_of

UNTOUCHED = (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)


def operands(node):
    for kept in (node.left, node.right):
        yield kept.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


OPERATORS = [
    *((kind, operator) for kind, operator in mutation_operators if operator is not operator_string),
    (cst.BaseString, lambda node: islice(operator_string(node), 1)),  # the others differ in upper and lower case
    *((kind, operator_if_exp) for kind in (cst.If, cst.CompIf)),
    *((kind, operands) for kind in (cst.BooleanOperation, cst.BinaryOperation)),
]


def nodes(node):
    if not isinstance(node, UNTOUCHED):
        yield node
        for child in node.children:
            yield from nodes(child)


def drawn(layer, seed):
    """The mutants of a layer in a random order: module, line, text before and after; each is another program."""
    sites = []
    for path in sorted(ROOT.joinpath("kltheory", layer).rglob("*.py")):
        wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
        lines = {node: where.start.line for node, where in wrapper.resolve(PositionProvider).items()}
        fitting = ((n, made) for n in nodes(wrapper.module) for kind, made in OPERATORS if isinstance(n, kind))
        changes = ((n, new) for n, made in fitting if n in lines for new in made(n))
        sites += [(path.relative_to(ROOT), lines[n], wrapper.module, n, new) for n, new in changes]
    print(f"{layer}: a sample of {len(sites)} mutants", flush=True)
    for path, at, module, old, new in random.Random(seed).sample(sites, len(sites)):
        before, after = module.code, deep_replace(module, old, new).code
        if ast.dump(ast.parse(before)) != ast.dump(ast.parse(after)):
            yield path, at, before, after


def failing(seconds, names):
    """Whether a test fails: file by file, since some are collected for seconds."""
    sizes = Counter(name.split("::")[0] for name in seconds)
    files = sorted({name.split("::")[0] for name in names}, key=sizes.__getitem__)
    passed = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return any(pytest.main([*PYTEST, file], [Plugin(seconds, names)]) not in passed for file in files)


def outcome(tree, path, text, seconds, names):
    """How a mutant ends: it is killed, by a failure or by the time it takes, or it survives."""
    tree.joinpath(path).write_text(text, encoding="utf-8")
    limit = 60 + 6 * sum(seconds[name] for name in names)  # a hang is no answer either
    status = inside(tree, limit, failing, seconds, names) if names else 0
    shutil.copy2(ROOT / path, tree / path)
    Path(cache_from_source(tree / path)).unlink(missing_ok=True)
    return "timeout" if status is None else "killed" if status else "survived"


def run(tree, layer, options):
    (seconds, lines), counts = recorded(tree, layer), Counter()
    for number, (path, at, before, after) in enumerate(islice(drawn(layer, options.seed), options.each)):
        if not options.only or number in options.only:
            names = tests_of(seconds, lines.get(str(path), {}), at, options.seconds)
            ended = outcome(tree, path, after, seconds, names)
            counts[ended] += 1
            change = difflib.unified_diff(before.split("\n"), after.split("\n"), n=0, lineterm="")
            shown = islice(change, 3, None) if ended == "survived" else ()
            print(f"{layer} {number} {ended} {path}:{at} ({len(names)} tests)", *shown, sep="\n", flush=True)
    print(f"{layer}: {dict(counts)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("layers", nargs="*", default=LAYERS)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--each", type=int, default=100, help="mutants of every layer")
    parser.add_argument("--only", type=int, nargs="*", default=[], help="numbers of mutants within a sample")
    parser.add_argument("--seconds", type=float, default=20.0, help="of tests, as recorded, for one mutant")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder).resolve() / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv*", ".cache"))
        for layer in options.layers:
            run(tree, layer, options)


if __name__ == "__main__":
    main()
