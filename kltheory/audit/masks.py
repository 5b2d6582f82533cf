"""Masks and padding: what stands where no token is must not matter."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from kltheory.audit.codes import Code
from kltheory.audit.finding import Finding
from kltheory.audit.layout import arrays, slope
from kltheory.audit.reading import Reading
from kltheory.audit.roles import Role
from kltheory.audit.subject import Subject
from kltheory.tracing.trace import Floats

JUNK: Final = {"1e4": 1e4, "-inf": -np.inf, "nan": np.nan}
"""What is put at a masked position; NaN goes through any product, so it is no alarm."""


def masked_junk(found: Reading, _: tuple[str, ...]) -> Iterator[Finding]:
    """What stands at a masked position must not reach the value or the gradient of the others."""
    subject, layout = found.subject, found.layout
    if Role.MASK not in subject.roles or not layout.tokens or layout.vocabulary:
        return
    mask = np.ones(layout.tokens)
    hidden = tuple(n - 1 for n in layout.tokens)
    mask[hidden] = 0
    base = layout.arrays(3, mask=mask)
    value, gradient = _run(subject, base)
    for name, junk in JUNK.items():
        policy, ref, old = (base[r].copy() for r in (Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD))
        for column in (ref, old) if name == "-inf" else (policy, ref, old):
            column[hidden] = junk
        with np.errstate(all="ignore"):
            changed, slopes = _run(subject, arrays(policy, ref, old, mask))
        keep = mask.astype(bool) if value.shape == layout.tokens else np.ones(value.shape, dtype=bool)
        where = []
        if not np.array_equal(changed[keep], value[keep]):
            where.append("value")
        if not np.array_equal(slopes[mask == 1], gradient[mask == 1]) or not np.isfinite(slopes).all():
            where.append("gradient")
        if where:
            text = f"{name} at a masked position reaches the {' and the '.join(where)}"
            code = Code.MASKED_NAN if name == "nan" else Code.MASKED_JUNK
            yield Finding(code, text, {"junk": name, "reaches": where})


def _run(subject: Subject, at: Mapping[Role, Floats]) -> tuple[Floats, Floats]:
    value, slopes = subject.run(at)
    return value, slope(slopes, at)


def padding(found: Reading, _: tuple[str, ...]) -> Iterator[Finding]:
    """Whether more padding, or a batch twice as large, changes an aggregated output."""
    subject, layout = found.subject, found.layout
    if len(layout.tokens) != 2 or layout.vocabulary:
        return
    base = layout.arrays(4)
    value, _slopes = _run(subject, base)
    if value.shape == layout.tokens:
        return
    doubled = {r: np.concatenate([a, a]) for r, a in base.items()}
    twice, _slopes = _run(subject, doubled)
    factor = float(np.sum(twice) / np.sum(value)) if np.sum(value) else float("nan")
    if np.isfinite(factor) and abs(factor - 1) > 1e-6:
        text = f"the same batch twice gives {factor:.4g} times the output"
        yield Finding(Code.BATCH_SIZE, text, {"factor": factor})
    if Role.MASK in subject.roles:
        wide = {r: np.concatenate([a, a[:, :1]], axis=1) for r, a in base.items()}
        wide[Role.MASK] = np.concatenate([base[Role.MASK], np.zeros((layout.tokens[0], 1))], axis=1)
        padded, _slopes = _run(subject, wide)
        if padded.shape == value.shape and np.abs(padded - value).max() > 1e-6 * np.abs(value).max():
            total = float(np.sum(value))
            grown = float(np.sum(padded)) / total if total else None
            changed = "changes an output of 0" if grown is None else f"multiplies the output by {grown:.4g}"
            text = f"one more masked column {changed}: {'it' if grown is None else 'the average'} counts padding"
            yield Finding(Code.PADDING, text, {"factor": grown})
