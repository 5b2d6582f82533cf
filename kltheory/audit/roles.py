"""Roles: what each argument of a function is, told by its name."""

from collections.abc import Iterable

from kltheory.calculus.names import Role, guess

__all__ = ["Role", "guess", "guess_all"]


def guess_all(names: Iterable[str]) -> dict[str, Role]:
    """The roles of the parameters of one function, each role once: the first name that claims it keeps it.

    Of two names that both seem to be the policy's, one marked as such (``new_logps``, ``logps``) is the policy.
    """
    found: dict[str, Role] = {}
    for name in names:
        role = guess(name)
        if role is not None and role not in found.values():
            found[name] = role
    return found
