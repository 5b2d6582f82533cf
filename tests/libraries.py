"""Real functions of other libraries, unchanged, for tests."""

import pytest

from kltheory.audit.library import Function, NotInstalled, libraries


def function_of(name: str) -> Function:
    """The function of a library. Where the library is not installed, the test is skipped, and says so."""
    try:
        return libraries()[name].reach()[0]
    except NotInstalled as e:
        pytest.skip(f"{str(e).partition('. ')[0]}; `make test` installs OpenRLHF, `make libraries` each library")
