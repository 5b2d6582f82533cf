"""Hostile calls: whatever is typed or lies in a file ends in words and a documented status, never in a traceback."""

from pathlib import Path

import pytest

HEAD = "from kltheory.proving.vocabulary import *\n"
TRUE = 'def t():\n    """k2 is k1 in the reward."""\n    return SameGradient(as_loss(k2), in_reward(k1), POLICY)\n'
FILES: dict[str, str | bytes] = {
    "good.py": HEAD + "@theorem()\n" + TRUE,
    "binary.py": bytes(range(256)),
    "empty.py": "",
    "syntax.py": "def (",
    "nul.py": b"x = 1\0",
    "indented.py": "  x = 1\n y = 2",
    "text.txt": "hello",
    "coding.py": b"# coding: nonsense\nx = 1",
    "latin.py": b"x = '\xff\xfe'",
    "needs.py": "import no_such_module",
    "exits.py": "raise SystemExit(0)",
    "generator.py": "raise GeneratorExit",
    "odd_exception.py": "class B(BaseException):\n    def __str__(self): return 1\nraise B",
    "prints.py": HEAD + "print('noise')\n@theorem()\n" + TRUE,
    "undocumented.py": HEAD + "@theorem()\ndef t(): return 1",
    "arguments.py": HEAD + '@theorem()\ndef t(x):\n    """d"""\n    return x',
    "bare.py": HEAD + "@theorem\n" + TRUE,
    "number.py": HEAD + "@theorem(catalogue=5)\n" + TRUE,
    "labels.py": HEAD + "@theorem(catalogue=(5,), source=(1, 2), hypotheses=(3,))\n" + TRUE,
    "harmless.py": HEAD + "@theorem(harmless=['a'])\n" + TRUE,
    "bell.py": HEAD + "@theorem()\n" + TRUE.replace("k2 is", "π ≥ ‖x‖ \u202e \x07"),
    "ünï 数学.py": HEAD + "@theorem()\n" + TRUE,
    "renamed.py": HEAD + TRUE + "t.__name__ = 'a\\nb\\x1b[31m'\nt = theorem()(t)\n",
    "itself.py": HEAD
    + "from pathlib import Path\nfrom kltheory.proving.theorem import collect\ncollect([Path(__file__)])",
    "recursive.py": HEAD + '@theorem()\ndef t():\n    """d"""\n    def f(): return f()\n    return f()\n',
    "self_built.py": HEAD + '@theorem()\ndef t():\n    """d"""\n    return t.stated\n',
    "no_claim.py": HEAD
    + 'class C:\n    left = 1\n    def decide(self): return 1/0\n@theorem()\ndef t():\n    """d"""\n    return C()\n',
    "wrong_sides.py": HEAD + '@theorem()\ndef t():\n    """d"""\n    return SameGradient(as_loss(k2), "x", POLICY)\n',
    "report.json": '{"target": null, "framework": null, "variants": [1]}',
    "deep.json": "[" * 100_000,
    "losses.py": "import jax\nx = 5\ndef kl(logp, ref_logp): return logp - ref_logp\nclass K: pass\n"
    "class P:\n    @property\n    def q(self): return 1 / 0\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("hostile")
    for name, content in FILES.items():
        (found / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return found


def calls(command: str, *rows: str) -> list[list[str]]:
    """A call for each row; words stand with | between, {} is the folder of the files."""
    return [[*command.split(), *row.split("|")] if row else command.split() for row in rows]


GOOD = "{}/good.py"
TYPED = (
    *("", "  ", "π", "1" + "0" * 400, "1e999", "l**" + "9" * 400, "l**l**l**l", "(" * 300, ")", "-l", "--", "-"),
    *(
        "exp(" * 60 + "l" + ")" * 60,
        "__import__('os')",
        "l;l",
        "l\nl",
        "l\0",
        "1/0",
        "l/0",
        "0**-1",
        "log(0)",
        "log(-1)",
    ),
    *("sqrt(-1)", "nan", "inf", "lambda: 1", "l[0]", "l.x", "f'{l}'", "'l'", "True", "l<w", "min()", "clamp(l,2,1)"),
    *("exp()", "l(l)", "exp=1", "l:=1", "*l", "l!", "l%2", "l@w", "~l", "(-2)**l", "l**-1", "A**A", "w**w", "sg()"),
    *("detach(l", "exp(l))", "١", "𝓁", "l\u200b", "oo", "l _", "\udcff", "exp(1000*l)", "where(l<0)", "l**1000"),
    "sg(w)*where(logp_old < 1, l**2/2, w*l)",
)
NO_SECONDS = ("nan", "inf", "-inf", "0", "-1", "x", "", "1e400")
LIMITED = (
    *("identify l", "variance l --random 1", "optimum --reward 1|0", "sequence", "table", "plot table", "list"),
    *("explain t", "audit a:b", "compare a:b c:d", "prove", "report --html x"),
)
CALLS = [
    *(["identify", text] for text in TYPED),
    *([*command.replace("|", " ").split(), "--timeout", s] for command in LIMITED for s in NO_SECONDS[:3]),
    *(["identify", "l", "--timeout", s] for s in NO_SECONDS),
    *calls("identify", "", "l|w", "l|--as|x", "l|--weight|x", "l|--bogus", "l|--param", "l|--param|=", "l|--param|l=1"),
    *calls("", "--bogus", "bogus", "\0", " "),
    *([command, *first, f"{{}}/{name}"] for name in FILES for command, first in (("list", []), ("explain", ["t"]))),
    *calls("list --json", *(f"{{}}/{name}" for name in ("recursive.py", "exits.py", "labels.py", "wrong_sides.py"))),
    *calls("list", "nope.py", "/dev/null", f"{GOOD}/x", "~", "*", "--by|x", "--missing|--by|section"),
    *([*("list", GOOD, "-k"), k] for k in ("(", "and", "a b", "(a", "1 +", "'x'", "π", "not " * 300 + "x", "[x]")),
    *calls("explain", "", "\0", "t", f"x|{GOOD}", f"π|{GOOD}"),
    *calls("variance", "l", "l|--policy|.5 .5", "l|--random|-1", "l|--random|1|--size|0", "|--random|1"),
    *(
        ["variance", "l", "--policy", p, "--reference", ".5 .5"]
        for p in ("a b", "nan nan", "inf 0", "1 0", "", "1/2 1/0", "-.5 1.5", "1e308 1e308", "1", "1e-400 1", "π 1")
    ),
    *calls("optimum", "", "--reward|1 0|--reference|.5 .5|--beta|0", "--reward|x|--reference|.5 .5|--beta|1"),
    *(
        ["optimum", "--reward", "1 0", "--reference", ".5 .5", "--beta", "1", "--loss", text]
        for text in ("exp(l", "w*l", "0", "1/l", "exp(l**2)", "log(l)", "")
    ),
    *calls("sequence", "-V|1", "-T|33", "-V|64|-T|32", "--eos|3", "--seed|-1", "--json|--markdown", "-V|x", "x"),
    *calls("sequence -V 2 -T 1", "--hidden|99999999"),
    *calls("plot", "", "x", "coefficient|l|-o|/nope/x.svg", "coefficient|l|-o|x", "coefficient|l|-o|.", "field|l"),
    *calls("plot -o {}/x.svg", "coefficient|exp(", "coefficient|w*l", "field|--reference|1 0 0", "drift|--policy|x"),
    *calls("plot", "all|--policy|.5 .5", f"all|-o|{GOOD}", "table|--reward|1|-o|{}/x.svg"),
    *calls("report", "", GOOD, f"{GOOD}|--latex|{{}}", "nope.py|--latex|{}/a.tex", f"{GOOD}|-k|(|--latex|{{}}/a.tex"),
    *calls(f"report {GOOD} --no-figures --latex {{}}/a.tex --audit", "nope.json", "{}/binary.py", "{}/deep.json", "{}"),
    *calls("audit", "", "\0", ":", "a:", ":b", "x.py:f", "no.such:f", "..:f", "π:π", "os:system", "x" * 5000),
    *calls("audit", *(f"{{}}/losses.py:{name}" for name in ("", "nope", "x", "K", "P.q", "__name__"))),
    *calls("audit", *(f"{{}}/{name}.py:f" for name in ("binary", "nul", "exits", "generator", "latin", "needs"))),
    *calls("audit {}/losses.py:kl", "--set|", "--set|=", "--args|=", "--args|logp=logp,logp=x", "--json|/nope/x"),
    *calls("compare", "", "a", "a:b|c:d", "{}/exits.py:f|{}/exits.py:f", "{}/losses.py:kl|{}/losses.py:nope"),
    *calls("prove", "nope.py", "{}/syntax.py", "{}/exits.py", "{}/odd_exception.py", "{}/empty.py", "/dev/null"),
    *([*("prove", GOOD, "--json"), to] for to in ("/nope/x", "/dev/full", "{}", "", "a\0b")),
    *calls(f"prove {GOOD}", "-j|0", "-j|x", "--durations|-1", "-k|nothing", "--bogus"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", CALLS, ids=[" ".join(c)[:60].encode("unicode_escape").decode() for c in CALLS])
def test_a_hostile_call_ends_in_words(arguments, folder, call):
    shown = call(*(a.replace("{}", str(folder)) for a in arguments))
    assert shown.exit_code in (0, 1, 2, 3)
    assert shown.output.strip()
    assert "internal error" not in shown.output
    assert "noise" not in shown.stdout


def test_there_are_many():
    assert len(CALLS) > 250
    assert {c[0] for c in CALLS} >= {c.split()[0] for c in LIMITED}


@pytest.mark.parametrize("seconds", NO_SECONDS)
def test_seconds_are_positive_and_finite(seconds, call):
    shown = call("identify", "l", "--timeout", seconds)
    assert shown.exit_code == 2
    assert "--timeout" in shown.stderr


# --- what nobody expects ----------------------------------------------------------------------------------------------
BROKEN = [
    ("identify l", "kltheory.report.identification.identify_text", 2, "UNDECIDED: internal error: KeyError: 'oops'")
]
BROKEN += [("list", "kltheory.proving.theorem.collect", 3, "could not run: internal error: KeyError: 'oops'")]


@pytest.mark.parametrize(("arguments", "function", "status", "words"), BROKEN, ids=[row[0] for row in BROKEN])
def test_an_error_of_this_program_is_a_sentence(arguments, function, status, words, call, monkeypatch):
    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(function, broken)
    shown = call(*arguments.split())
    assert shown.exit_code == status
    assert shown.output == f"{words}; please report it, with the traceback that KLTHEORY_DEBUG=1 shows\n"
    monkeypatch.setenv("KLTHEORY_DEBUG", "1")
    with pytest.raises(AssertionError, match="KeyError"):  # the traceback, which the fixture does not let pass
        call(*arguments.split())


def test_what_cannot_be_decided_is_no_error_of_this_program(call, monkeypatch):
    from kltheory.calculus.exact import Undecidable

    def undecidable(*_: object) -> None:
        raise Undecidable("a reason")

    monkeypatch.setattr("kltheory.report.table.class_table", undecidable)
    shown = call("table")
    assert (shown.exit_code, shown.output) == (2, "UNDECIDED: a reason\n")
