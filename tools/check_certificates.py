#!/usr/bin/env python3
"""Checks the certificates of refuted theorems, with python-flint and the standard library alone.

    kltheory prove --json proved.json
    python tools/check_certificates.py proved.json

A certificate states a false claim as data, its sides as formulas, and an exact setting (docs/certificates.md). Both
sides are evaluated from their formulas in balls (Arb): probabilities are a softmax of logits, dual numbers are used to
differentiate by a logit, ``sg`` drops the derivative, expectations are sums over every action or response. It holds if
the sides certainly contradict the claim, and agree with the printed enclosures. Trusted are python-flint, and that the
claim in the certificate is what the theorem states. The exit status is 0 if there are refuted theorems and each has a
certificate that holds, else 1.
"""

import argparse
import json
import re
import sys
from fractions import Fraction
from functools import cache, reduce
from pathlib import Path

import flint
from flint import arb, fmpq

WHO = ("policy", "reference", "old")
SIDES = ("left", "right")


class Rejected(Exception):
    """The certificate does not show what it says; the message is why."""


def require(condition, message):
    if not condition:
        raise Rejected(message)


# --- numbers: balls, and duals of them --------------------------------------------------------------------------------
class Dual:
    """x + d·ε with ε² = 0; x and d are balls, or duals in an ε of the next level."""

    def __init__(self, x, d):
        self.x, self.d = x, d

    def __add__(self, other):
        return Dual(self.x + other.x, self.d + other.d) if isinstance(other, Dual) else Dual(self.x + other, self.d)

    def __mul__(self, other):
        if isinstance(other, Dual):
            return Dual(self.x * other.x, self.d * other.x + self.x * other.d)
        return Dual(self.x * other, self.d * other)

    __radd__, __rmul__ = __add__, __mul__


def ball(q):
    q = Fraction(q)
    return arb(fmpq(q.numerator, q.denominator))


def total(xs):
    return reduce(lambda a, b: a + b, xs, arb(0))


def less(a, b):
    return a + -1 * b


def slope(x, times=1):
    """The derivative on the first levels."""
    return slope(x.d if isinstance(x, Dual) else arb(0), times - 1) if times else x


def detached(x):
    return Dual(x.x, arb(0)) if isinstance(x, Dual) else x


def bottom(x):
    """The value itself."""
    return bottom(x.x) if isinstance(x, Dual) else x


def sign(x):
    """1 or -1, for certain."""
    x = bottom(x)
    require(x.is_finite() and not x.contains(0), "a sign is not decided, or a value is not finite")
    return 1 if x > 0 else -1


def apply(name, x):
    """A function, by the name that python-flint has for it."""
    return Dual(apply(name, x.x), DERIVATIVES[name](x.x) * x.d) if isinstance(x, Dual) else getattr(x, name)()


def power(x, n):
    if isinstance(n, arb) and n.is_integer():
        n = int(n.unique_fmpz())
    if not isinstance(n, int):
        return apply("exp", n * apply("log", x))
    if n < 0:
        return power(reciprocal(x), -n)
    half = power(x * x, n // 2) if n > 1 else arb(1)  # by squaring: Arb's own power of a ball around 0 is nan
    return half * x if n % 2 else half


def reciprocal(x):
    return Dual(reciprocal(x.x), -1 * power(reciprocal(x.x), 2) * x.d) if isinstance(x, Dual) else 1 / x


def lesser(a, b):
    """The smaller of two; at a tie one around both, which has slopes only if they are the same on both sides."""
    if isinstance(a, arb) and isinstance(b, arb):
        return a.min(b)
    return joined(a, b) if bottom(less(a, b)).contains(0) else a if sign(less(b, a)) > 0 else b


def joined(a, b):
    if isinstance(a, arb) and isinstance(b, arb):
        return a.union(b) if a.overlaps(b) else arb.nan()
    x, y = (n if isinstance(n, Dual) else Dual(n, arb(0)) for n in (a, b))
    return Dual(joined(x.x, y.x), joined(x.d, y.d))


DERIVATIVES = {
    "exp": lambda x: apply("exp", x),
    "expm1": lambda x: apply("exp", x),
    "log": reciprocal,
    "asin": lambda x: power(less(1, x * x), ball("-1/2")),
    "sinh": lambda x: apply("cosh", x),
    "cosh": lambda x: apply("sinh", x),
    "tanh": lambda x: power(apply("cosh", x), -2),
}
BINARY = {
    "+": lambda a, b: a + b,
    "*": lambda a, b: a * b,
    "^": power,
    "minus": less,
    "min": lesser,
    "max": lambda a, b: -1 * lesser(-1 * a, -1 * b),
    "<": lambda a, b: sign(less(b, a)) > 0,
    "<=": lambda a, b: sign(less(b, a)) > 0,
    ">": lambda a, b: sign(less(a, b)) > 0,
    ">=": lambda a, b: sign(less(a, b)) > 0,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
}
OTHERS = {
    "sg": detached,
    "abs": lambda x: -1 * lesser(x, -1 * x),
    "sign": lambda x: arb(sign(x)),
    "step": lambda x, at_zero: arb(int(sign(x) > 0)),
    "not": lambda x: not x,
    "true": lambda: True,
    "false": lambda: False,
    "pi": arb.pi,
}


# --- formulas on one setting ------------------------------------------------------------------------------------------
@cache
def parse(text):
    """An S-expression as nested tuples, with fractions and names in them."""
    stack = [[]]
    for token in re.findall(r"[()]|[^\s()]+", text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = tuple(stack.pop())
            stack[-1].append(done)
        else:
            stack[-1].append(Fraction(token) if re.fullmatch(r"-?\d+(/\d+)?", token) else token)
    require(len(stack) == len(stack[0]) == 1, f"{text!r} is no formula")
    return stack[0][0]


class World:
    """The setting of a certificate, on which formulas have values.

    Args:
        c: the certificate.
        sampler: who drew: "old", or "policy", and then the old policy is the policy, detached.
        moves: for each level of duals the logit that moves, which is a prefix and its token.
        reference: the reference's row, instead of the one in the certificate.
        l: the log-ratio, where formulas speak of that alone.
    """

    def __init__(self, c, sampler="old", moves=(), reference=None, l=None):
        require(sampler in ("old", "policy"), "nobody samples")
        self.c, self.moves, self.l, self.one_step = c, moves, l, "setting" in c
        tables = {} if "l" in c else rows_of(c)
        policy = tables.get("policy", {})
        self.policy = {prefix: self._moving(prefix, row) for prefix, row in policy.items()}
        self.reference = {(): reference} if reference else balls(tables.get("reference", {}))
        on_policy = {prefix: [detached(p) for p in row] for prefix, row in self.policy.items()}
        self.old = on_policy if sampler == "policy" else balls(tables.get("old", {}))
        self.logits = [(*prefix, token) for prefix, row in policy.items() for token in range(len(row))]
        self.responses = [y for y in self.logits if y not in policy]

    def _moving(self, prefix, row):
        """The softmax of log p + ε, ε the movement of the logit on each level."""
        weights = []
        for token, p in enumerate(map(ball, row)):
            for logit in reversed(self.moves):
                p = Dual(p, p if logit == (*prefix, token) else arb(0))
            weights.append(p)
        return [p * reciprocal(total(weights)) for p in weights]

    def probability(self, table, y, given=0):
        """Of a response, or of what follows its first tokens."""
        return reduce(BINARY["*"], (table[y[:t]][y[t]] for t in range(given, len(y))), arb(1))

    def expected(self, side):
        """The mean of a loss over what the sampler draws, of a formula under the policy; or a sum over actions."""
        ((how, text),) = side.items()
        require(how in ("loss", "mean", "sum"), f"{how!r} is nothing to expect")
        table, t = self.old if how == "loss" else self.policy, 0 if self.one_step else None
        weights = [arb(1) if how == "sum" else self.probability(table, y) for y in self.responses]
        return total(p * self.value(parse(text), y, t) for p, y in zip(weights, self.responses, strict=True))

    def value(self, f, y=(), t=0):
        """A formula of a response y, or of its token at position t; of the vocabulary where y ends before it."""
        if isinstance(f, Fraction):
            return ball(f)
        if isinstance(f, str):
            return self.symbol(f, y, t)
        head, *args = f
        if head in SUMS:
            return total(SUMS[head](self, args, y, t))
        if head == "where":
            return next(self.value(v, y, t) for _, v, condition in args if self.value(condition, y, t))
        if head == "at":
            return self.value(args[1], (int(args[0]),), 0)
        values = [self.value(a, y, t) for a in args]
        if head in BINARY:
            return reduce(BINARY[head], values)
        return apply(head, *values) if head in DERIVATIVES else OTHERS[head](*values)

    def symbol(self, name, y, t):
        """A variable of the token at position t, or a parameter."""
        if name == "l" and self.l is not None:
            return self.l
        if name in ("logp", "l", "log_w"):
            p, q, old = (table[y[:t]][y[t]] for table in (self.policy, self.reference, self.old))
            other = {"logp": arb(1), "l": q, "log_w": old}[name]
            return less(apply("log", p), apply("log", other))
        if name == "N":
            return arb(len(y))
        if name == "A":
            return ball(self.c["setting"]["advantage"][y[t]])
        if name == "inside":
            return arb(int(y[t] in self.c["inside"]))
        if name in self.c["claim"]["parameters"]:
            return ball(self.c["choice"][name])
        return ball(self.c["past"][name][" ".join(map(str, y[:t]))])


SUMS = {
    "total": lambda w, a, y, t: (w.value(a[0], y, u) for u in range(len(y))),
    "past": lambda w, a, y, t: (w.value(a[0], y, u) for u in range(t)),
    "future": lambda w, a, y, t: (power(w.value(a[1]), u - t) * w.value(a[0], y, u) for u in range(t + 1, len(y))),
    "E": lambda w, a, y, t: (p * w.value(a[0], (*y[:t], k), t) for k, p in enumerate(w.policy[y[:t]])),
    "ahead": lambda w, a, y, t: (
        w.probability(w.policy, z, t + 1) * w.value(("future", a[0], Fraction(1)), z, t)
        for z in w.responses
        if z[: t + 1] == y[: t + 1]
    ),
}
"""Heads that sum over tokens, or average over the vocabulary or over what is to come."""


def balls(table):
    return {prefix: [ball(p) for p in row] for prefix, row in table.items()}


def rows_of(c):
    """Whose row after which prefix: fractions, and that they are probabilities."""
    if "setting" in c:
        texts = {who: {(): c["setting"][who]} for who in WHO}
    else:
        texts = {who: {tuple(map(int, p.split())): r.split() for p, r in c["tree"][who].items()} for who in WHO}
    tables = {who: {p: [Fraction(x) for x in row] for p, row in table.items()} for who, table in texts.items()}
    size = len(tables["policy"][()])
    for table in tables.values():
        require(table.keys() == tables["policy"].keys(), "the three policies have rows after different prefixes")
        for row in table.values():
            require(len(row) == size > 1 and min(row) > 0 and sum(row) == 1, f"{row} are no probabilities")
    return tables


def require_language(c, fixed_length):
    """Responses end at a maximum length, or at the token that ends them and nowhere else."""
    rows, responses, eos = rows_of(c)["policy"], World(c).responses, c["tree"]["eos"]
    longest = max(map(len, responses))
    require(all(p == () or (p[:-1] in rows and p[-1] != eos) for p in rows), "a row stands where no token is drawn")
    require(all(len(y) == longest or y[-1] == eos for y in responses), "a response ends too early")
    require(not fixed_length or all(len(y) == longest for y in responses), "responses have to be of one length")


# --- what each kind of claim says: its two sides, and which has to be larger to contradict it (0: either) -------------
def gradient(c, side, sampler, logit, reference=None, levels=0):
    """The derivative by a logit of what is expected; on so many levels more the reference alone moves."""
    return slope(World(c, sampler, (logit, *[None] * levels), reference).expected(side))


def one_step_gradient(c, claim):
    return *(gradient(c, claim[side], claim["sampler"], (c["component"],)) for side in SIDES), 0


def response_gradient(c, claim):
    return *(gradient(c, claim[side], claim["sampler"], tuple(c["component"])) for side in SIDES), 0


def score(c, claim):
    """The derivative by its own logit of the loss on one sample."""
    world = World(c, claim["sampler"], ((c["component"],),))
    return *(slope(world.value(parse(claim[side]["loss"]), (c["component"],))) for side in SIDES), 0


def samplers(c, claim):
    return *(gradient(c, claim["left"], sampler, (c["component"],)) for sampler in ("old", "policy")), 0


def expectations(c, claim):
    return *(World(c).expected(claim[side]) for side in SIDES), 0


def moments(c, claim):
    return *(World(c).value(parse(claim[side])) for side in SIDES), 0


def two_actions(c, claim):
    require(len(rows_of(c)["policy"][()]) == 2, "the claim speaks of two actions")
    return moments(c, claim)


def stated_sign(c, claim):
    for who in ("policy", "reference"):
        stated = [Fraction(x) for x in claim[who].split()]
        require(rows_of(c)[who][()] == stated, "the setting is not that of the claim")
    return sign_of_moment(c, claim)


def inner(c, claim):
    """Σ_j g_j g'_j/π_j, since F x = g' is solved by x = g'/π."""
    p = rows_of(c)["policy"][()]
    both = [[gradient(c, claim[side], "policy", (j,)) for j in range(len(p))] for side in SIDES]
    return total(a * b * ball(1 / x) for a, b, x in zip(*both, p, strict=True)), World(c).expected(claim["value"]), 0


def bounded(c, claim):
    """‖g‖² and 2 E_π[bound]²."""
    g = [gradient(c, claim["left"], claim["sampler"], logit) for logit in World(c).logits]
    mean = World(c).expected({"mean": claim["bound"]})
    return total(x * x for x in g), 2 * mean * mean, 1


def trace(c, claim):
    return variance(c, claim["left"], claim["sampler"]), World(c).value(parse(claim["right"])), 0


def beyond(c, claim):
    """A value, and the bound on its side."""
    world = World(c)
    x, low, high = (world.value(parse(claim[f]), (c["component"],)) for f in ("left", "lower", "upper"))
    return (x, low, -1) if bool(x < low) else (x, high, 1)


def values(c, claim):
    return *(World(c).value(parse(claim[side]), (c["component"],)) for side in SIDES), 0


def sign_of_moment(c, claim):
    return World(c).value(parse(claim["left"])), arb(0), {1: -1, -1: 1}[claim["sign"]]


def sign_at(c, claim):
    world = World(c, l=ball(c["l"]))
    for end, side in (("above", 1), ("below", -1)):
        inside = claim[end] is None or sign(less(world.l, world.value(parse(claim[end])))) == side
        require(inside, "l lies outside of the interval")
    return world.value(parse(claim["left"])), arb(0), {1: -1, -1: 1}[claim["sign"]]


def fall(c, claim):
    """∇ Σ π_ref f(π/π_ref) = π (f' - Σ π f') by logits, and f' of a convex f does not fall as π/π_ref grows."""
    p, q = (rows_of(c)[who][()] for who in ("policy", "reference"))
    require(p[0] / q[0] <= p[1] / q[1], "the log-ratio of the first action must not be the larger one")
    return *(gradient(c, claim["left"], claim["sampler"], (a,)) * ball(1 / p[a]) for a in (0, 1)), 1


def order(c, claim):
    """The reference leaves the policy: π_1 e^-t, π_2, …, and the rest; C of the first action less C of the second."""
    k, p = c["component"], rows_of(c)["policy"][()]
    require(0 <= k <= claim["order"] and len(p) > 2, "the claim does not speak of this derivative")
    require(p == rows_of(c)["reference"][()], "the reference has to be the policy")
    first = ball(p[0]) * apply("exp", -1 * moving(k))
    reference = [first, *map(ball, p[1:-1]), less(ball(p[0] + p[-1]), first)]

    def derivative(side):
        c_1, c_2 = (gradient(c, side, claim["sampler"], (a,), reference, k) * ball(1 / p[a]) for a in (0, 1))
        return bottom(slope(less(c_1, c_2), k))

    return derivative(claim["left"]), derivative(claim["right"]), 0


def expansion(c, claim):
    k, world = c["component"], World(c, l=moving(c["component"]))
    require(0 <= k <= claim["order"] and Fraction(c["l"]) == 0, "the claim does not speak of this derivative")
    return *(bottom(slope((world.value(parse(claim[side])) + Dual(arb(0), arb(0))).x, k)) for side in SIDES), 0


def moving(levels):
    """t = 0 with slope 1 on so many levels, below the first, on which ``sg`` stops derivatives."""
    t = reduce(lambda x, _: Dual(x, arb(1)), range(levels), arb(0))
    return Dual(t, arb(0))


def jacobian(c, claim):
    """∂_b ∂_a of what is expected and ∂_a ∂_b, ``sg`` stopping the first derivative only."""
    a, b = map(tuple, c["component"])
    worlds = (World(c, claim["sampler"], moves) for moves in ((a, b), (b, a)))
    return *(slope(world.expected(claim["left"]), 2) for world in worlds), 0


def on_one_tree(number):
    def sides(c, claim):
        for who in ("policy", "reference"):
            stated = {tuple(map(int, prefix)): [Fraction(x) for x in row.split()] for prefix, row in claim[who]}
            require(rows_of(c)[who] == stated, "the tree is not that of the claim")
        return number(c, claim["left"]), number(c, claim["right"]), 1

    return sides


def squared_length(c, side):
    return total(power(gradient(c, side, "policy", logit), 2) for logit in World(c).logits)


def variance(c, side, sampler="policy"):
    """Of a formula under who sampled; of a loss, the trace of the covariance of its gradient in the logits."""
    ((how, text),) = side.items()
    worlds = [World(c, sampler, (logit,)) for logit in World(c).logits] if how == "loss" else [World(c, sampler)]
    found = []
    for world in worlds:
        drawn = [bottom(world.probability(world.old, y)) for y in world.responses]
        xs = [world.value(parse(text), y, 0 if world.one_step else None) for y in world.responses]
        xs = [slope(x) for x in xs] if how == "loss" else xs
        mean = total(p * x for p, x in zip(drawn, xs, strict=True))
        found.append(total(p * power(x - mean, 2) for p, x in zip(drawn, xs, strict=True)))
    return total(found)


# --- floating point ---------------------------------------------------------------------------------------------------
FORMATS = {"float64": (53, 1023), "float32": (24, 127), "bfloat16": (8, 127), "float16": (11, 15)}
"""Digits of the significand, and the largest exponent."""
EXACT = {"+": Fraction.__add__, "*": Fraction.__mul__, "minus": Fraction.__sub__}


def exponent_of(x):
    e = abs(x.numerator).bit_length() - x.denominator.bit_length()
    return e if Fraction(2) ** e <= abs(x) else e - 1


def nearest(x, kind):
    """The number of the format nearest to a fraction, of two the even one."""
    digits, largest = FORMATS[kind]
    unit = Fraction(2) ** (max(exponent_of(x) if x else 0, 1 - largest) - digits + 1)
    require(abs(rounded := round(x / unit) * unit) < Fraction(2) ** (largest + 1), "it overflows")
    return rounded


def ends(x):
    """The exact ends of a ball."""
    return [int(m) * Fraction(2) ** int(e) for m, e in (x.lower().man_exp(), x.upper().man_exp())]


def computed(c, f, l, kind):
    """A formula with every operation rounded to the nearest number; a part without l is a constant, rounded once."""
    if f == "l":
        return l
    if mentions_l(f):
        args = [computed(c, a, l, kind) for a in f[1:]]
        if f[0] in EXACT:
            return reduce(lambda a, b: nearest(EXACT[f[0]](a, b), kind), args)
        f = (f[0], *args)
    low, high = (nearest(end, kind) for end in ends(World(c, l=ball(l)).value(f)))
    require(low == high, "a rounding is not decided")
    return low


def mentions_l(f):
    return f == "l" or (isinstance(f, tuple) and any(map(mentions_l, f[1:])))


def number_of_binade(c, kind, exponent):
    l = Fraction(c["l"])
    require(l and nearest(l, kind) == l and exponent_of(l) == exponent, "l is no number of the binade")
    return l


def never_negative(c, claim):
    l = number_of_binade(c, "float32", claim["exponent"])
    require(Fraction(claim["at_most"]) == 0, "one number says nothing of a share")
    require((l > 0) == (claim["side"] > 0), "l is no number of the binade")
    return ball(computed(c, parse(claim["left"]), l, "float32")), arb(0), -1


def relative_error(c, claim):
    kind, exponent = claim["dtype"], claim["exponent"]
    l, world = number_of_binade(c, kind, exponent), World(c, l=ball(c["l"]))
    grid = {nearest((1 + Fraction(i, 500)) * Fraction(2) ** exponent, kind) for i in range(500)}
    require(abs(l) in grid, "the claim speaks of other points")
    exact = world.value(parse(claim["exact"]))
    found = ball(computed(c, parse(claim["left"]), l, kind))
    return abs((found - exact) / exact), world.value(parse(claim["bound"])), 1


KINDS = {
    "SameGradient": ("setting", one_step_gradient),
    "SameScore": ("setting", score),
    "SamplerFree": ("setting", samplers),
    "SameValue": ("setting", expectations),
    "SameMoment": ("setting", moments),
    "Identity": ("setting", values),
    "AlwaysSign": ("setting", sign_of_moment),
    "SignAt": ("setting", stated_sign),
    "OnTwoActions": ("setting", two_actions),
    "NaturalInner": ("setting", inner),
    "TraceVariance": ("setting", trace),
    "GradientBound": ("setting", bounded),
    "Range": ("setting", beyond),
    "IsDivergence": ("setting", fall),
    "AgreesToOrder": ("setting", order),
    "HasSign": ("l", sign_at),
    "Expansion": ("l", expansion),
    "NegativeShare": ("l", never_negative),
    "AccurateIn": ("l", relative_error),
    "SameSequenceGradient": ("tree", response_gradient),
    "SameSequenceValue": ("tree", expectations),
    "IsConservative": ("tree", jacobian),
    "LessVarianceAt": ("tree", on_one_tree(variance)),
    "ShorterGradientAt": ("tree", on_one_tree(squared_length)),
}
"""Kind of claim to where it is refuted, and its sides there."""
ADMITS = {
    "integer": lambda x: x.denominator == 1,
    "positive": lambda x: x > 0,
    "nonnegative": lambda x: x >= 0,
    "negative": lambda x: x < 0,
    "nonpositive": lambda x: x <= 0,
}
"""What is assumed of a parameter."""


def check(c):
    """What the certificate shows, in words.

    Raises:
        Rejected: it does not; any other exception means the same.
    """
    claim = c["claim"]
    require(claim["kind"] in KINDS, f"not checked: claims of the kind {claim['kind']}")
    place, sides = KINDS[claim["kind"]]
    require(c.keys() & {"setting", "tree", "l"} == {place}, f"such a claim is refuted on one {place}")
    for name, words in claim["parameters"].items():
        require(all(ADMITS[word](Fraction(c["choice"][name])) for word in words), f"{name} is not {words}")
    with flint.ctx.workprec(320 if c["bits"] <= 128 else 1280):
        if place == "tree":
            require_language(c, claim.get("fixed_length", True))
        left, right, larger = sides(c, claim)
        found = {"left": left, "right": right, "difference": left - right}
        require(sign(found["difference"]) == larger or not larger, "the sides are as claimed")
        for name, x in found.items():
            low, high = ends(x)
            mid, rad = (Fraction(c[name][part]) for part in ("mid", "rad"))
            require(mid - rad <= high and low <= mid + rad, f"the {name} is {x.str(10)}, and not as printed")
    require(abs(mid) > rad, "the printed difference does not exclude zero")
    return f"{claim['kind']}, {left.str(10, radius=False)} and {right.str(10, radius=False)}"


def main(arguments=None):
    """Check the certificates of a file; the exit status."""
    parser = argparse.ArgumentParser(description="Check the certificates in what `kltheory prove --json FILE` wrote.")
    parser.add_argument("file", type=Path)
    theorems = json.loads(parser.parse_args(arguments).file.read_text(encoding="utf-8"))["theorems"]
    refuted, held = [t for t in theorems if t["verdict"] == "REFUTED"], 0
    for theorem in refuted:
        try:
            require(theorem["witness"], "there is no certificate")
            print(f"holds     {theorem['name']}: {check(theorem['witness'])}")
            held += 1
        except Exception as e:
            print(f"REJECTED  {theorem['name']}: {e if isinstance(e, Rejected) else repr(e)}")
    print(f"{held} of {len(refuted)} certificates hold")
    return 0 if held == len(refuted) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
