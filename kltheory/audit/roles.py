"""Roles: what each argument of a function is, and in what form it comes, told by its name."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from kltheory.audit.forms import Form
from kltheory.calculus.names import OLD, OPTION, POLICY, PROXIMAL, REFERENCE, SAMPLER, Role, guess, whose, words_of

__all__ = ["SHARED", "WIDE", "Expected", "Role", "expected", "guess", "guess_all", "resembling"]

SHARED: Final = {Role.MASK, Role.ACTIONS, Role.GROUP, Role.IDS, Role.VALUE, Role.LOGP_SAMPLER, Role.WEIGHT_SAMPLER}
"""Roles that several arguments of one function may have: two masks are both the mask."""
DISTRIBUTION: Final = {"dist", "dists", "distribution", "distributions", "categorical"}
PROBABILITY: Final = {"prob", "probs", "probability", "probabilities"}
COUNT: Final = re.compile(r"((global|batch|total|num|n|valid|local)_)+(items|tokens|toks)(_in_batch)?")
ROWS: Final = re.compile(r"((global|total|valid|local)_)+(seqs|sequences|samples)")
OF_TOKENS: Final = re.compile(r"w_t(m1|p1)?|(loss|token|step)_weights?")
"""Weights of tokens, as a mask has them."""
ENTROPY: Final = {"entropy", "entropies"}
WHOLE: Final = {"topk", "vocab", "vocabulary"}
"""Words of log-probabilities of actions that were not sampled as well."""
REWARD: Final = {"reward", "rewards", "returns", "score", "scores"}
VALUE: Final = {"value", "values", "vpred", "vpreds", "baseline", "baselines"}
GROUP: Final = re.compile(r"uids?|(group|question|prompt)_(ids?|idx|index|indices|indexes|uids?)|groups")
ACTION: Final = re.compile(r"a_t(m1|p1)?")
INDEX: Final = {"idx", "idxs", "index", "indices", "pos", "position", "positions", "len", "lens", "lengths"}
"""Words of where something is, which is neither a number nor a log-probability of it."""
SAME: Final = {"local", "full", "unfiltered", "raw", "global"}
"""Words of one array in two sizes, which are one in a run of one process."""

WIDE: Final = {Role.LOGP: Role.LOGITS, Role.LOGP_REF: Role.LOGITS_REF, Role.LOGP_OLD: Role.LOGITS_OLD}
"""Normalised logits are log-probabilities."""

Expected = tuple[Role, tuple[Form, ...]]


def expected(name: str) -> Expected | None:
    """The role that one name tells, and the form: ``ref_probs`` are the reference's, and no logarithms."""
    words = words_of(name)
    snake, known = "_".join(words), set(words)
    if GROUP.fullmatch(snake) and snake != "prompt_ids":
        return Role.GROUP, ()
    if COUNT.fullmatch(snake):
        return Role.MASK, (Form.COUNT,)
    if known & DISTRIBUTION and not known & {"type", "kind", "name", "mode"}:
        return whose(known, Role.LOGITS, Role.LOGITS_REF, Role.LOGITS_OLD), (Form.DISTRIBUTION,)
    if ROWS.fullmatch(snake):
        return Role.MASK, (Form.ROWS,)
    if ACTION.fullmatch(snake):
        return Role.ACTIONS, ()
    if OF_TOKENS.fullmatch(snake):
        return Role.MASK, ()
    if known & ENTROPY and known <= ENTROPY | {"per", "token", "tokens"}:
        return Role.VALUE, ()
    if (role := guess(name)) is not None:
        if role is Role.MASK and "sample" in known:
            return role, (Form.RESPONSE,)
        role = WIDE.get(role, role) if known & WHOLE else role
        prompt = "prompt" in known and role in (Role.MASK, Role.ACTIONS)
        return (Role.IDS if role is Role.ACTIONS else role, (Form.PROMPT,)) if prompt else (role, ())
    if known & REWARD and not known & (OPTION | INDEX | {"model", "fn", "num"}):
        return Role.ADVANTAGE, ()
    if known & VALUE and known - VALUE <= OLD | {"v", "state", "critic", "pred", "preds", "ref", "phi"}:
        return Role.VALUE, ()
    if known & PROBABILITY and known - PROBABILITY <= POLICY | REFERENCE | OLD:
        return whose(known, Role.LOGP, Role.LOGP_REF, Role.LOGP_OLD), (Form.PROBABILITY,)
    return None


def guess_all(names: Iterable[str]) -> dict[str, Expected]:
    """The roles and forms of the parameters of one function, each role once but for those that are shared.

    Of two names that both seem to be the policy's, one marked as such (``new_logps`` beside ``logps``) is the policy;
    one that is called the target is then the reference. A second old policy, such as ``rollout_logps`` beside
    ``old_logps``, is that which generated the data; a ratio of those two is no ratio of the policy.
    """
    listed = list(names)
    claims = {name: claim for name in listed if (claim := expected(name)) is not None}
    found: dict[str, Expected] = {}
    for name in sorted(claims, key=lambda n: _rank(n, claims)):
        role, forms = claims[name]
        if role is Role.ADVANTAGE and set(words_of(name)) & REWARD and role in {r for r, _ in found.values()}:
            role = Role.VALUE  # of a critic, beside the advantages
        taken = {r for r, _ in found.values()}
        if (sampler := beside_old(name, role, taken)) is not None:
            found[name] = sampler, forms
        elif role is Role.WEIGHT and role in taken:
            found[name] = Role.WEIGHT_SAMPLER, forms
        elif role not in taken or role in SHARED or _again(name, role, found):
            found[name] = role, forms
        elif "target" in words_of(name) and (other := _REFERENCE.get(role)) and other not in taken:
            found[name] = other, forms
    return {name: found[name] for name in listed if name in found}


def _again(name: str, role: Role, found: Mapping[str, Expected]) -> bool:
    """Whether it is an array that is there already, of which a process has a part: ``local_logps``, ``full_logps``."""
    own = set(words_of(name))
    others = (set(words_of(n)) for n, (r, _) in found.items() if r is role)
    return bool(own & SAME) and any(own - SAME == other - SAME for other in others)


def beside_old(name: str, role: Role, taken: Iterable[Role]) -> Role | None:
    """What a second old policy is beside the first, and what a weight from one to the other is; else ``None``."""
    if Role.LOGP_OLD not in taken:
        return None
    if role is Role.LOGP_OLD:
        return Role.LOGP_SAMPLER
    words = words_of(name)
    corrects = set(words) & (SAMPLER | TRUNCATED) or "importance_sampling" in "_".join(words) or "is" in words
    return Role.WEIGHT_SAMPLER if role is Role.WEIGHT and corrects else None


TRUNCATED: Final = {"tis", "mis", "icepop", "cis"}
"""Words of a weight that corrects for what generated the data: truncated or masked importance sampling."""


def older(name: str) -> int:
    """The order in which old policies are the one that a ratio is taken to: proximal, old, what generated the data."""
    words = set(words_of(name))
    return 0 if words & PROXIMAL else 2 if words & SAMPLER else 1


_REFERENCE: Final[Mapping[Role, Role]] = {Role.LOGP: Role.LOGP_REF, Role.LOGITS: Role.LOGITS_REF}


def _rank(name: str, claims: Mapping[str, Expected]) -> int:
    """The order in which names claim a role: marked, bare, and what is called the target where another is not."""
    words = set(words_of(name))
    if claims[name][0] is Role.ADVANTAGE:
        return 1 if words & REWARD else 0
    if claims[name][0] is Role.LOGP_OLD:
        return older(name) - 3  # before the weights that are then told apart
    if claims[name][0] not in _REFERENCE:
        return 0
    return 0 if words & POLICY - {"p"} else 2 if "target" in words else 1


def resembling(name: str, wanted: Iterable[Role]) -> Role | None:
    """Which of these roles an unknown name may have, by its letters: ``rlp`` may be the reference's; for advice only.

    Where the letters say nothing, the first policy that is wanted.
    """
    letters, left = "".join(words_of(name)), list(wanted)
    likely = (role for role, pattern in LETTERS.items() if role in left and re.search(pattern, letters))
    return next(likely, next((role for role in left if role not in LETTERS or role in _REFERENCE.values()), None))


LETTERS: Final[Mapping[Role, str]] = {
    Role.MASK: r"ma?sk|valid|keep|^m$",
    Role.ADVANTAGE: r"adv|gae",
    Role.ACTIONS: r"ids$|tok|act|lab",
    Role.LOGP_REF: r"^r(?!at)|ref|base|teach|^q",
    Role.LOGITS_REF: r"^r(?!at)|ref|base|teach|^[tq]",
    Role.LOGP_OLD: r"^o|old|beh|^mu",
    Role.LOGITS_OLD: r"^o|old|beh|^mu",
}
"""What the letters of a name remind of."""
