"""Stand-ins: objects that a function reads its arrays and settings from, such as ``self``, ``inputs`` or ``config``."""

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, MutableMapping
from enum import Enum
from typing import Any, Final

from kltheory.audit.forms import Form
from kltheory.audit.roles import Expected, Role, expected
from kltheory.calculus.names import BARE, whose, words_of

OF_ANOTHER: Final = {"ref", "reference", "teacher", "sft", "old", "behavior", "behaviour", "previous"}
"""Words of an object whose log-probabilities are another policy's."""


class Use(Enum):
    """What a function does with something that is not known."""

    READ = "read"
    NUMBER = "number"
    FLAG = "flag"
    CHOICE = "choice"
    PARTS = "parts"
    NONE = "none"


class Missing(AttributeError, KeyError):
    """The function reads something that a stand-in does not have.

    Attributes:
        path: what it reads.
        use: what it does with it.
        other: what it is compared with, where it is.
    """

    def __init__(self, path: str, use: Use = Use.READ, other: Any = None) -> None:
        super().__init__(path)
        self.path = path
        self.use = use
        self.other = other

    def __str__(self) -> str:
        return f"it reads {self.path}, which is not known"


def claimed(path: str, bare: bool = False) -> Expected | None:
    """What a path holds by its last name, and whose by what it is read from: ``ref_model().logits``.

    A name such as ``ref`` alone may be that of what holds the array: it is one only where it is used as one (``bare``).
    """
    holder, _, leaf = path.rpartition(".")
    if leaf == "0" and holder.endswith("model()"):
        leaf = "logits"  # the first output of a model
    claim = expected(leaf)
    if holder and not bare and set(words_of(leaf)) <= BARE:
        return None
    if claim is None or claim[0] not in (Role.LOGP, Role.LOGITS):
        return claim
    words = {word for part in holder.replace("()", "").split(".") for word in words_of(part)} & OF_ANOTHER
    wide = claim[0] is Role.LOGITS
    named = (Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD) if wide else (Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD)
    return whose(words, *named), claim[1]


class Wanted(BaseException):
    """The function reads an array whose role its name tells; not an error, so no handler of the function stops it."""

    def __init__(self, path: str, role: Role, forms: tuple[Form, ...]) -> None:
        super().__init__(path, role, forms)
        self.path = path
        self.role = role
        self.forms = forms


OBJECT: Final = object()
"""What is assumed of a path of which no more is known than that it is there."""


class Values:
    """What is known about the objects that a function reads.

    Attributes:
        paths: where an array is found: path to role. A path is ``inputs.ref_logps``, or ``self.get_logps()``.
        settings: path to value, as ``--set self.beta=0.1`` gives them, and what is assumed beyond.
        made: the array of a path, in its form.
        results: what a method gives that returns more than one array, by its path.
        is_settled: whether every array is found; what else is read is then missing, whatever its name.
    """

    def __init__(
        self,
        paths: Mapping[str, Role],
        settings: Mapping[str, Any],
        made: Callable[[str], Any],
        results: Mapping[str, tuple[str, ...]],
        is_settled: bool,
    ) -> None:
        self.paths = paths
        self.settings = settings
        self.made = made
        self.results = results
        self.is_settled = is_settled

    def knows(self, path: str) -> bool:
        """Whether anything is known of what lies at a path, or below it."""
        return any(k == path or k.startswith((path + ".", path + "()")) for k in (*self.settings, *self.paths))

    def read(self, path: str) -> Any:
        """The value at a path. Raises Missing, or Wanted."""
        if path in self.settings:
            value = self.settings[path]
            return StandIn(path, self) if value is OBJECT else value
        if path in self.paths:
            return self.made(path)
        if path + "()" in self.paths:
            return lambda *args, **kwargs: self.returned(path + "()")
        if self.knows(path):
            return StandIn(path, self)
        claim = None if self.is_settled else claimed(path)
        if claim is not None and (claim[0] not in self.paths.values() or claim[0] is Role.LOGP_OLD):
            raise Wanted(path, *claim)  # a second old policy is that which generated the data
        raise Missing(path)

    def returned(self, path: str) -> Any:
        """What a method returns: its array, alone or among what it is unpacked into."""
        if path not in self.results:
            return self.made(path)
        return tuple(self._part(path, name) for name in self.results[path])

    def _part(self, path: str, name: str) -> Any:
        claim = expected(name)
        if claim is not None and claim[0] is self.paths[path]:
            return self.made(path)
        if "entropies" in name or "entropy" in name:
            return 0 * self.made(path).detach() if hasattr(self.made(path), "detach") else 0 * self.made(path)
        return None


class StandIn(MutableMapping[str, Any]):
    """Reads like a mapping, a namespace or a dataclass; whatever else is done with it is Missing."""

    def __init__(self, path: str, values: Values) -> None:
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_own", {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self._own[name] = value

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, slice):
            raise Missing(self._path, Use.PARTS)
        name = ".".join(map(str, name)) if isinstance(name, tuple) else name
        return self._own[name] if name in self._own else self._values.read(f"{self._path}.{name}")

    def __setitem__(self, name: str, value: Any) -> None:
        self._own[name] = value

    def __delitem__(self, name: str) -> None:
        self._own.pop(name, None)

    def __contains__(self, name: object) -> bool:
        try:
            self[name]
        except Missing:
            return False
        return True

    def keys(self) -> KeysView[str]:
        """The names that are known so far; a function may hand all of them on."""
        known = (*self._values.settings, *self._values.paths)
        inside = (p.removeprefix(self._path + ".").partition(".")[0] for p in known if p.startswith(self._path + "."))
        return dict.fromkeys((*self._own, *inside)).keys()

    def items(self) -> ItemsView[str, Any]:
        """The same with their values."""
        return {name: self[name] for name in self.keys()}.items()

    def __iter__(self) -> Iterator[str]:
        if not self.keys() or self._path.endswith("()"):
            raise Missing(self._path, Use.PARTS)
        return iter(self.keys())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What is known of what comes back. Raises Missing."""
        return self._values.read(f"{self._path}()")

    def __bool__(self) -> bool:
        if self._values.settings.get(self._path) is OBJECT:
            raise Missing(self._path, Use.FLAG)
        return True

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StandIn):
            return self is other
        raise Missing(self._path, Use.CHOICE, other)

    def __hash__(self) -> int:
        return id(self)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @classmethod
    def __torch_function__(cls, _: Any, __: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise Missing(next(_stand_ins((*args, *(kwargs or {}).values()))), Use.NUMBER)

    def __jax_array__(self) -> Any:
        raise Missing(self._path, Use.NUMBER)


def _stand_ins(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, StandIn):
            yield value._path
        elif isinstance(value, (list, tuple)):
            yield from _stand_ins(value)


def _number(self: StandIn, *_: Any) -> Any:
    raise Missing(self._path, Use.NUMBER)


for _operator in ("add", "sub", "mul", "truediv", "pow", "radd", "rsub", "rmul", "rtruediv", "rpow", "neg", "abs"):
    setattr(StandIn, f"__{_operator}__", _number)
for _operator in ("lt", "le", "gt", "ge", "float", "int", "index", "floordiv", "mod"):
    setattr(StandIn, f"__{_operator}__", _number)
