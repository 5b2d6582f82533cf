"""The project's papers agree with its code: README, CITATION, references; and nothing of one machine is in the tree."""

import ast
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from kltheory.__about__ import __version__
from kltheory.cli import cli
from kltheory.numerics.settings import standard_settings
from kltheory.proving.theorem import collect, library
from kltheory.report.table import class_table, markdown

ROOT = Path(__file__).parents[1]
README = ROOT.joinpath("README.md").read_text(encoding="utf-8")
BIB = ROOT.joinpath("references.bib").read_text(encoding="utf-8")


def kltheory(*arguments: object) -> str:
    result = CliRunner().invoke(cli, list(map(str, arguments)), prog_name="kltheory")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def between(text: str, start: str, end: str) -> str:
    assert text.count(start) == text.count(end) == 1
    return text.split(start)[1].split(end)[0].strip()


# --- tests ------------------------------------------------------------------------------------------------------------
CLOCK = re.compile(r"\btimeout=|\b(process_time|perf_counter|monotonic|time_ns|time\.time)\b|deadline=(?!None)")


@pytest.mark.parametrize("file", sorted(ROOT.joinpath("tests").rglob("*.py")), ids=lambda p: p.name)
def test_no_test_depends_on_the_clock(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if CLOCK.search(line) and not line.startswith("CLOCK = ")] == []


@pytest.mark.parametrize("clock", ["run(x, time" + "out=60)", "start = time.perf" + "_counter()", "dead" + "line=200"])
def test_a_clock_is_seen(clock):
    assert CLOCK.search(clock)


# --- README -----------------------------------------------------------------------------------------------------------
def test_the_class_table_is_what_the_command_prints():
    shown = between(README, "<!-- class table -->", "<!-- /class table -->")
    assert shown == kltheory("table", "--markdown").strip()
    assert shown == markdown(list(class_table()))


def roughly(text: str) -> str:
    """A text without residuals and seconds: what is left of a report on every machine."""
    text = re.sub(r" +\de[+-]\d\d\b", " ~", text)
    text = re.sub(r"within \de[+-]\d\d of", "within ~ of", text)
    text = re.sub(r"\b(autodiff|enumeration|points) (differs )?\de[+-]\d\d", r"\1 \2~", text)
    return re.sub(r"\d+\.\d+ s\b", "~ s", text)


CONSOLE = re.findall(r"^\$ \.venv/bin/kltheory (.*)\n((?:(?!```).*\n)*)", README, flags=re.MULTILINE)


DOCS = [f"docs/{p.name}" for p in sorted(ROOT.joinpath("docs").glob("*.md"))]
IN_DOCS = [
    found
    for text in (ROOT.joinpath(name).read_text(encoding="utf-8") for name in DOCS)
    for found in re.findall(r"^\$ \.venv/bin/kltheory (.*)\n((?:(?!```).*\n)*)", text, flags=re.MULTILINE)
]
JOBS = {"prove": ("-j", "1")}
"""Options that change nothing of what is printed."""


@pytest.mark.parametrize("command", ["identify", "variance", "optimum"])
def test_what_the_readme_shows_of_an_answer_is_what_it_prints(command):
    shown = {arguments: output for arguments, output in CONSOLE if arguments.startswith(command)}
    assert shown
    for arguments, output in shown.items():
        assert output.rstrip() == kltheory(*shlex.split(arguments)).rstrip()


def test_what_the_readme_shows_of_a_users_file_is_what_it_prints(tmp_path):
    (source,) = (code for code in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL) if "@theorem" in code)
    (output,) = (output for arguments, output in CONSOLE if arguments == "prove my_claims.py")
    file = tmp_path / "my_claims.py"
    file.write_text(source, encoding="utf-8")
    assert roughly(kltheory("prove", file, "-j", 1)) == roughly(output)


def test_what_the_readme_shows_of_an_audit_is_what_it_prints(tmp_path, monkeypatch):
    (source,) = (code for code in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL) if "jnp" in code)
    (arguments, output) = next(pair for pair in CONSOLE if pair[0].startswith("audit my_losses.py"))
    tmp_path.joinpath("my_losses.py").write_text(source, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    assert roughly(kltheory(*shlex.split(arguments))).rstrip() == roughly(output).rstrip()


def test_what_the_readme_asserts_in_ci_holds(tmp_path, monkeypatch):
    codes = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    losses, suite = (next(code for code in codes if word in code) for word in ("jnp", "kltheory.testing"))
    tmp_path.joinpath("my_losses.py").write_text(losses, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {}
    exec(compile(suite, "README.md", "exec"), space)  # noqa: S102 (our own text)
    tests = [test for name, test in space.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


def test_a_report_differs_from_another_though_its_numbers_are_dropped():
    """The twin of the comparison above."""
    line = "PROVED    t  symbolic, autodiff 4e-16; mutants 6 refuted of 7\n1 theorems; 2.7 s"
    assert roughly(line) == roughly(line.replace("4e-16", "3e-16").replace("2.7", "13.4"))
    for other in (
        line.replace("6 refuted", "5 refuted"),
        line.replace("PROVED", "REFUTED"),
        line.replace("autodiff", ""),
    ):
        assert roughly(other) != roughly(line)


@pytest.mark.parametrize("command", list(cli.commands))
def test_every_command_is_in_the_readme(command):
    assert f"| `kltheory {command}" in README


def test_every_option_in_the_readme_exists():
    lines = re.findall(r"^\| `kltheory (\w+)([^`]*)` \|", README, flags=re.MULTILINE)
    assert len(lines) == len(cli.commands)
    for command, rest in lines:
        known = {option for p in cli.commands[command].params for option in (*p.opts, *p.secondary_opts)}
        assert set(re.findall(r"--?\w[\w-]*", rest)) <= known


def test_every_key_of_the_json_is_documented(tmp_path):
    section = ROOT.joinpath("docs", "json.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[`\"](\w+)[`\"]", section))
    source = ROOT.joinpath("kltheory", "proving", "verdict.py").read_text(encoding="utf-8")
    keys = {key.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Dict) for key in node.keys}
    keys |= set(collect([library()])[0].to_json()) | set(next(iter(class_table())).to_json())
    keys |= {"schema", "version", "summary", "theorems", "unexpected", "PROVED", "REFUTED", "UNDECIDED"}
    assert len(keys) > 25
    assert keys - named == set()
    assert "no_such_key" not in named


def test_the_settings_the_readme_speaks_of():
    sizes = [s.size for s in standard_settings()]
    assert f"V ∈ {{{', '.join(map(str, sizes))}}}" in README
    assert f"{sum(len(s.family) for s in standard_settings())} settings" in README


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "notebooks/README.md", *DOCS])
def test_links_lead_somewhere(name):
    path = ROOT / name
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8"))
    assert targets or name != "README.md"
    assert [t for t in targets if not path.parent.joinpath(t).exists()] == []


@pytest.mark.parametrize(("arguments", "output"), IN_DOCS, ids=[a for a, _ in IN_DOCS])
def test_what_the_docs_show_is_what_is_printed(arguments, output):
    printed = kltheory(*shlex.split(arguments), *JOBS.get(arguments.split()[0], ()))
    assert roughly(printed).strip() == roughly(output).strip()


@pytest.mark.parametrize("name", [name for name in DOCS if name != "docs/findings.md"])  # tests/audit audits that one's
def test_what_the_docs_compute_holds(name):
    for code in re.findall(r"```python\n(.*?)```", ROOT.joinpath(name).read_text(encoding="utf-8"), flags=re.DOTALL):
        assert "assert " in code
        exec(compile(code, name, "exec"), {})  # noqa: S102 (our own text)


@pytest.mark.parametrize("command", ["sequence --eos 0"])
def test_a_table_the_readme_shows_is_what_is_printed(command):
    (output,) = (output for arguments, output in CONSOLE if arguments == command)
    assert kltheory(*command.split()).strip() == output.strip()


def test_the_picture_of_the_readme_is_drawn_by_this_version():
    """The file is the figure, byte for byte where Matplotlib is the pinned one."""
    mpl = pytest.importorskip("matplotlib", reason="Matplotlib is not installed; `make test` installs it")
    pinned = re.findall(r"^matplotlib==(.*)$", ROOT.joinpath("constraints.txt").read_text(), flags=re.MULTILINE)
    if pinned != [mpl.__version__]:
        pytest.skip(f"another Matplotlib draws it a little differently: {mpl.__version__}, pinned is {pinned[0]}")
    from kltheory.report.figures.classes import classes

    shown = ROOT.joinpath("docs", "table.svg").read_text(encoding="utf-8")
    assert shown[shown.index("<svg") :].strip() == classes().svg().strip()


# --- version ----------------------------------------------------------------------------------------------------------
def test_the_version_is_one():
    citation = ROOT.joinpath("CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, flags=re.MULTILINE) == [__version__]
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "kltheory/__about__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", __version__)


# --- sources ----------------------------------------------------------------------------------------------------------
ENTRIES = dict(re.findall(r"@\w+\{(\w+),\n(.*?)\n\}", BIB, flags=re.DOTALL))
EPRINTS = set(re.findall(r"eprint\s*=\s*\{([\d.]+)\}", BIB))
URLS = set(re.findall(r"url\s*=\s*\{https?://([^}]+)\}", BIB))

BY_NAME = {
    "E. Greensmith": "greensmith2004variance",
    "J. Schulman": "schulman2020approximating",
    "Xihuai": "wang2025choosing",
    "I. Csiszár 1967": "csiszar1967information",
    "F. Liese and I. Vajda 2006": "liese2006divergences",
    "N. Cressie and T. Read 1984": "cressie1984multinomial",
    "S. Kakade, J. Langford 2002": "kakade2002approximately",
}
"""Sources that proofs cite by author, with their key in references.bib."""

NO_PUBLICATION = ("catalogue ", "softmax, by the chain rule", "straight-through estimators", "verl, core_algos")
"""What a theorem may name beside publications: the catalogue, a rule, a practice, a function of a library."""


def arxiv(text: str) -> set[str]:
    return set(re.findall(r"arXiv[:\s]+(\d{4}\.\d{4,5})", text))


def uncited(source: str) -> list[str]:
    """The parts of a theorem's source that references.bib does not have: the checker."""
    missing = []
    for part in source.split("; "):
        ids, url = arxiv(part), re.match(r"github\.com/\S+", part)
        known = [key for name, key in BY_NAME.items() if part.startswith(name)]
        if ids:
            missing += sorted(ids - EPRINTS)
        elif url:
            missing += [] if url[0] in URLS else [url[0]]
        elif not any(key in ENTRIES for key in known) and not part.startswith(NO_PUBLICATION):
            missing.append(part)
    return missing


@pytest.mark.parametrize("source", sorted({s for t in collect([library()]) for s in (*t.sources, *t.about)}))
def test_every_source_of_a_theorem_is_in_the_references(source):
    assert uncited(source) == []


UNKNOWN = [
    ("arXiv 2510.99999", ["2510.99999"]),
    ("arXiv 2510.01555, Theorem 5.1; arXiv 2510.99999", ["2510.99999"]),
    ("github.com/nobody/nothing", ["github.com/nobody/nothing"]),
    ("A. N. Other 1999", ["A. N. Other 1999"]),
    ("I. Csiszár 1967; A. N. Other 1999", ["A. N. Other 1999"]),
    ("arXiv 2510.01555, Theorem 5.1", []),
]


@pytest.mark.parametrize(("source", "missing"), UNKNOWN)
def test_the_check_of_sources_can_fail(source, missing):
    assert uncited(source) == missing


@pytest.mark.parametrize("folder", ["proofs", "kltheory", "benchmarks", "notebooks", "docs", "."])
def test_every_arxiv_number_in_the_text_is_in_the_references(folder):
    every = ROOT.glob("*.md") if folder == "." else ROOT.joinpath(folder).rglob("*")
    files = [f for f in every if f.suffix in (".py", ".md")]
    assert files
    cited = {number: file.name for file in files for number in arxiv(file.read_text(encoding="utf-8"))}
    assert {number: file for number, file in cited.items() if number not in EPRINTS} == {}


def test_every_reference_says_where_it_is():
    assert len(ENTRIES) == BIB.count("\n@")
    assert [
        key for key, body in ENTRIES.items() if not re.search(r"\b(url|doi|journal|booktitle|publisher)\s*=", body)
    ] == []
    assert len(EPRINTS) == len(re.findall(r"^\s*eprint", BIB, flags=re.MULTILINE))


# --- the tree ---------------------------------------------------------------------------------------------------------
def tracked() -> list[Path]:
    if not ROOT.joinpath(".git").exists() or shutil.which("git") is None:
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


PLACES = [f"/{folder}/" for folder in ("work", "root", "home", "Users")]


def of_one_machine(text: str) -> list[str]:
    """Absolute paths under somebody's folders: the checker. A web address may have such a part."""
    return [p for p in PLACES if re.search(rf"(?<![\w.:/-]){re.escape(p)}", text)]


def test_no_path_of_one_machine_is_in_the_tree():
    files = tracked()
    assert len(files) > 50
    found = {}
    for file in files:
        try:
            found[file.name] = of_one_machine(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
    assert {name: paths for name, paths in found.items() if paths} == {}


@pytest.mark.parametrize("place", PLACES)
def test_the_check_of_paths_can_fail(place):
    assert of_one_machine(f"see '{place}main/x.py'") == [place]
    assert of_one_machine(f"python {place}x") == [place]
    assert of_one_machine(f"https://example.org{place}x and src{place}x") == []
