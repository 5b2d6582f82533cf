"""An audit as JSON; docs/json.md has the keys."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from kltheory.__about__ import __version__
from kltheory.audit.audited import Audit, Audited
from kltheory.audit.codes import Code, Level
from kltheory.report.audit_facts import aggregation, answer, coefficient

SCHEMA: Final = 1
STATUS: Final = {0: "nothing to report", 1: "alarms", 2: "undecided", 3: "could not run"}


def to_json(audit: Audit) -> dict[str, Any]:
    """Plain data; docs/json.md has the keys. Numbers that are not finite are ``null``."""
    t = audit.target
    data = {
        "schema": SCHEMA,
        "version": __version__,
        "target": t.name,
        "library": t.version or None,
        "file": t.file,
        "line": t.line,
        "framework": t.framework,
        "placements": list(audit.placements),
        "status": STATUS[audit.status],
        "hints": list(audit.hints),
        "variants": [_variant(v) for v in audit.variants],
    }
    cleaned = _clean(data)
    assert isinstance(cleaned, dict)
    return cleaned


def _variant(v: Audited) -> dict[str, Any]:
    found = v.found
    return {
        "name": v.name,
        "settings": {
            k: x if isinstance(x, (bool, int, float, str, type(None))) else repr(x) for k, x in v.settings.items()
        },
        "arguments": {} if v.subject is None else _arguments(v.subject.paths),
        "answer": answer(v),
        "formula": None if found is None else found.formula,
        "coefficient": coefficient(v),
        "how": None if found is None else found.how,
        "reading": None if found is None else found.entries.value,
        "dtype": None if found is None else found.dtype,
        "residual": None if found is None else found.residual,
        "aggregation": None if found is None or found.weights is None or found.per_token else aggregation(found),
        "advantage": [push.to_json() for push in v.pushes],
        "rows": [r.to_json() for r in v.rows],
        "responses": [r.to_json() for r in v.responses],
        "findings": [f.to_json() for f in v.findings],
        **_by_kind(v),
    }


STOPPED: Final = (Code.RANDOM, Code.SHAPE, Code.RAISES)
"""What ends an audit because of the function itself: the keys of schema 1 list it among the alarms as well."""


def _by_kind(v: Audited) -> dict[str, Any]:
    """The findings under the keys of schema 1."""
    alarms = [f for f in v.findings if f.level is Level.ALARM or f.code in STOPPED]
    probes = [f for f in v.findings if f.code.probe]
    return {
        "alarms": [{"kind": f.code.probe or f.name, "text": f.text} for f in alarms],
        "probes": [{"probe": f.code.probe, "text": f.text, "alarm": f.level is Level.ALARM, **f.data} for f in probes],
        "undecided": [f.text for f in v.undecided],
        "failure": v.failure or None,
        "notes": [f.text for f in v.notes if f not in probes],
    }


def _arguments(paths: Mapping[str, Any]) -> dict[str, str]:
    """Role to what holds it; several with commas, such as two masks."""
    return {r.value: ", ".join(p for p, other in paths.items() if other is r) for r in paths.values()}


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value
