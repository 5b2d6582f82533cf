"""Real functions of other libraries, loaded unchanged from one file, without the rest of the library.

A file is found through the metadata of the installed distribution, or at the path that an environment variable gives,
so that an unpacked wheel will do: ``KLTHEORY_OPENRLHF=.../openrlhf/models/utils.py pytest tests/test_openrlhf.py``.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final


class NotInstalled(Exception):
    """The file is not on this machine; the message says where it was looked for."""


@dataclass(frozen=True)
class SourceFile:
    """One Python file of a distribution, and the modules it imports but does not use in the functions of interest."""

    distribution: str
    path: str
    stand_ins: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment variable that overrides where the file is."""
        return f"KLTHEORY_{self.distribution.upper()}"

    def locate(self) -> Path:
        """Where the file lies.

        Raises:
            NotInstalled: nowhere.
        """
        if given := os.environ.get(self.variable):
            if Path(given).is_file():
                return Path(given)
            raise NotInstalled(f"{self.variable}={given} is not a file")
        try:
            listed = files(self.distribution) or []
        except PackageNotFoundError:
            raise NotInstalled(f"{self.distribution} is not installed, and {self.variable} is not set") from None
        found = [Path(str(f.locate())) for f in listed if f.as_posix() == self.path]
        if not found or not found[0].is_file():
            raise NotInstalled(f"the installed {self.distribution} has no {self.path}")
        return found[0]

    def load(self) -> ModuleType:
        """The file as a module of its own. Whatever it warns about on import is its library's business."""
        path = self.locate()
        spec = spec_from_file_location(f"_{self.distribution}_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        with _standing_in(self.stand_ins), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            spec.loader.exec_module(module)
        return module


@contextmanager
def _standing_in(names: tuple[str, ...]) -> Iterator[None]:
    """Empty modules under these names. What else is imported meanwhile stays imported."""
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update({name: ModuleType(name) for name in names})
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


OPENRLHF: Final = SourceFile("openrlhf", "openrlhf/models/utils.py", ("deepspeed",))
