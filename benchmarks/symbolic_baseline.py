"""The baseline of ``bench_symbolic``, one statement in a process of its own: ``symbolic_baseline.py NAME V SECONDS``.

SymPy alone: log-probabilities are written out as logarithms of softmax, the sum over V actions is differentiated by the
first logit with ``diff``, and ``simplify`` is asked for 0. (Actions are interchangeable: one component decides.) That a
difference does not simplify to 0 proves nothing; it is counted as an answer all the same. Prints seconds and answer, or
is ended by SIGALRM when the seconds allowed are over.
"""

import signal
import sys
from time import perf_counter

from statements import Statement, statements
from sympy import simplify

from kltheory.calculus.concrete import component, log_softmax


def decide(s: Statement, V: int) -> bool:
    written = s.surrogate.sampled_by(s.sampler).expr
    left = sum(component(s.surrogate, s.sampler, V, a, written) for a in range(V))
    right = sum(component(s.target, s.sampler, V, a, s.target.summand) for a in range(V))
    return bool(simplify(left - right) == 0)


if __name__ == "__main__":
    name, V, limit = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    wanted = next(s for s in statements() if s.name == name)
    log_softmax.cache_clear()
    signal.setitimer(signal.ITIMER_REAL, limit)
    start = perf_counter()
    answer = decide(wanted, V)
    print(perf_counter() - start, answer)
