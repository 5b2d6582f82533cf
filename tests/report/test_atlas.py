"""The atlas by structure: every theorem is there, links resolve, formulas are MathML, nothing else is loaded."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("jinja2", reason="Jinja2 is not installed; `make test` installs it")
pytest.importorskip("latex2mathml", reason="latex2mathml is not installed; `make test` installs it")

from kltheory.cli.main import cli
from kltheory.proving.run import run_all
from kltheory.proving.theorem import Theorem, collect, library
from kltheory.proving.verdict import Report, Verdict
from kltheory.report.atlas.content import Atlas, BadAudit, Entry, audit_of, entries
from kltheory.report.atlas.mathml import NotMathML, mathml
from kltheory.report.atlas.page import html, tex
from kltheory.report.figures.classes import classes
from kltheory.report.figures.noise import drift

CHOSEN = (
    "k3_as_loss_eq_grad_forward_kl_of_on_policy",
    "k2_as_loss_eq_grad_reverse_kl_of_on_policy",
    "k3_per_token_has_an_objective",
    "k3_is_never_negative_in_float32",
)
ODD = Theorem("odd", 'A <b> & an "angle" > 3, 100% of {it}_x.', lambda: (), sources=("arXiv 2510.01555, Theorem 5.1",))


class Page(HTMLParser):
    """What a page holds: ids, links, what it would load, and the text of each element that matters."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.tags.append(tag)
        self.ids += [str(known["id"])] if "id" in known else []
        if tag == "a":
            self.links.append(str(known.get("href")))
        elif tag in ("link", "script", "img", "iframe", "source", "object"):
            self.loads += [str(known[k]) for k in ("src", "href", "data") if k in known]

    def dangling(self) -> list[str]:
        """Links into the page that lead nowhere."""
        return [link for link in self.links if link.startswith("#") and link[1:] not in self.ids]


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    theorems = [t for t in collect([library()]) if t.name in CHOSEN]
    proved = list(zip(theorems, run_all(theorems, 1), strict=True))
    audit = {
        "target": "mine.py:kl", "library": None, "framework": "jax",
        "variants": [{"name": "", "formula": "l**2/2", "failure": None, "alarms": [{"text": "a < b"}], "rows": []}],
    }  # fmt: skip
    found = [*entries(proved, 1), Entry(ODD, Report("odd", Verdict.UNDECIDED, Verdict.PROVED, "no <reason>"), ())]
    return Atlas("0", tuple(found), (classes(), drift()), (audit,))


@pytest.fixture(scope="module")
def text(atlas: Atlas) -> str:
    return html(atlas)


def test_every_theorem_has_its_place_and_every_link_leads_somewhere(atlas, text):
    page = Page(text)
    assert {*CHOSEN, "odd"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert page.dangling() == []
    assert "https://arxiv.org/abs/2510.01555" in page.links
    assert page.tags.count("article") == len(atlas.entries) == 5
    assert {"figure-table", "figure-drift", "audits", "class-table"} <= set(page.ids)


def test_what_is_open_is_said(atlas, text):
    section = text.split('<section id="open">')[1].split("</section>")[0]
    for entry in atlas.coverage.missing():
        assert f"<li>{entry.section} {entry.number}. " in section
    assert section.count("<li>") == len(atlas.coverage.missing()) + len(atlas.coverage.in_part()) > 100


def test_a_link_that_leads_nowhere_is_found(text):
    broken = text.replace(f'id="{CHOSEN[0]}"', 'id="elsewhere"')
    assert Page(broken).dangling() == [f"#{CHOSEN[0]}"]


def test_nothing_is_loaded(text):
    assert Page(text).loads == []
    assert not re.search(r"@import|url\((?!#)", text)
    assert Page('<img src="https://example.org/x.png">').loads == ["https://example.org/x.png"]


def test_it_can_be_read_without_scripts(text):
    bare = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert '<form id="search" role="search" hidden>' in bare
    assert " hidden>" not in bare.replace('role="search" hidden>', "")
    for words in ("the expected gradients are equal", "Counterexample", "l**2/2"):
        assert words in bare


def test_what_statements_hold_is_escaped(text):
    assert "A &lt;b&gt; &amp; an" in text
    assert "no &lt;reason&gt;" in text
    assert "a &lt; b" in text
    assert "<b>" not in text


def test_formulas_are_mathml(text):
    assert text.count("<math") > 30
    assert "\\frac" not in text
    assert "\\ell" not in text


def test_what_is_no_known_command_is_refused():
    with pytest.raises(NotMathML, match="left over"):
        mathml(r"\nosuchcommand{x}")


def test_evidence_speaks_of_engines_twins_and_witnesses(atlas):
    found = {e.theorem.name: e for e in atlas.entries}
    lines = "\n".join(found[CHOSEN[0]].evidence)
    assert "symbolic: holds" in lines
    assert "twins: 0 of" not in lines
    assert found["odd"].evidence[-1] == "undecided: no <reason>"
    assert found[CHOSEN[2]].report.witness is not None
    assert sum(len(s.entries) for s in atlas.sections) == 5


def test_latex_is_balanced_and_complete(atlas):
    shown = tex(atlas)
    assert shown.count(r"\begin{") == shown.count(r"\end{")
    assert shown.count(r"\[") == shown.count(r"\]")
    for name in CHOSEN:
        assert rf"\label{{{name}}}" in shown
    assert r"100\% of" in shown
    assert "<<" not in shown
    assert "<%" not in shown


def test_latex_compiles(atlas, tmp_path):
    if (pdflatex := shutil.which("pdflatex")) is None:
        pytest.skip("there is no pdflatex on this machine")
    (tmp_path / "atlas.tex").write_text(tex(atlas), encoding="utf-8")
    command = [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "atlas.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]


# --- the command ------------------------------------------------------------------------------------------------------
def call(*arguments: str):
    return CliRunner().invoke(cli, ["report", *arguments])


def test_a_folder_or_a_file(tmp_path):
    file = tmp_path / "appendix.tex"
    shown = call("-k", CHOSEN[1], "--html", str(tmp_path / "site"), "--latex", str(file), "-j", "1", "--no-figures")
    assert shown.exit_code == 0
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert CHOSEN[1] in page
    assert '<section id="figures">' not in page
    assert CHOSEN[1] in file.read_text(encoding="utf-8")
    assert f"{file}: 1 theorems" in shown.output


def test_what_is_refuted_sets_the_status(tmp_path):
    claims = tmp_path / "mine.py"
    claims.write_text(
        "from kltheory.proving.vocabulary import *\n\n@theorem()\ndef wrong():\n    'k3 is k2.'\n"
        "    return SameGradient(as_loss(k3), as_loss(k2), POLICY)\n"
    )
    shown = call(str(claims), "--html", str(tmp_path / "a.html"), "-j", "1", "--no-figures")
    assert shown.exit_code == 1
    assert 'data-verdict="REFUTED"' in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_it_says_what_is_missing(tmp_path, monkeypatch):
    assert "--html DIR|FILE, --latex FILE" in call().output
    assert "cannot write" in call("-k", CHOSEN[1], "--latex", "/proc/no/x.tex", "-j", "1").output
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert "kltheory[report]" in call("-k", CHOSEN[1], "--html", str(tmp_path), "-j", "1", "--no-figures").output
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "--no-figures" in call("-k", CHOSEN[1], "--html", str(tmp_path), "-j", "1").output


@pytest.mark.parametrize("content", ["{", "[]", '{"target": 1}', None])
def test_a_file_that_is_no_audit_is_refused(content, tmp_path):
    path = Path(tmp_path / "a.json")
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadAudit, match=r"a\.json"):
        audit_of(path)


def test_an_audit_is_shown(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import jax.numpy as jnp\n\ndef kl(logp, ref_logp):\n    return 0.5 * (logp - ref_logp) ** 2\n"
    )
    report = tmp_path / "a.json"
    CliRunner().invoke(cli, ["audit", f"{tmp_path / 'mine.py'}:kl", "--json", str(report)])
    assert audit_of(report)["framework"] == "jax"
    assert json.loads(report.read_text())["variants"][0]["formula"] == "l**2/2"
    page = tmp_path / "p.html"
    call("-k", CHOSEN[1], "--html", str(page), "--audit", str(report), "-j", "1", "--no-figures")
    text = page.read_text(encoding="utf-8")
    assert '<section id="audits">' in text
    assert "<code>l**2/2</code>" in text
    assert "Σ_t KL(π‖π_ref) on frozen prefixes" in text
    assert "KL(π‖π_ref)" in text
