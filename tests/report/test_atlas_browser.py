"""The atlas in a real Chromium: it renders, links lead somewhere, the filter filters, formulas are formulas."""

import shutil

import pytest
from click.testing import CliRunner

pytest.importorskip("playwright", reason="Playwright is not installed; `make browser` installs it")

from playwright import sync_api as playwright

from kltheory.cli.main import cli

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]
K3 = "k3_as_loss_eq_grad_forward_kl_of_on_policy"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    page = tmp_path_factory.mktemp("atlas") / "atlas.html"
    shown = CliRunner().invoke(cli, ["report", "-k", "1 or 4 or 57 or S5", "--html", str(page), "-j", "2"])
    assert shown.exit_code == 0, shown.output
    return page.as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (375, "light")], ids=["light", "dark", "phone"])
def page(request, browser, address):
    """The page, which must not have complained when it is left."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened, complaints = context.new_page(), []
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda e: complaints.append(str(e)))
    opened.on("request", lambda r: complaints.append(r.url) if not r.url.startswith("file:") else None)
    opened.goto(address)
    yield opened
    context.close()
    assert complaints == []


def test_nothing_sticks_out(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_formulas_are_drawn(page):
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    sizes = page.evaluate("[...document.querySelectorAll('math')].map((m) => m.getBoundingClientRect().height)")
    assert len(sizes) > 100
    assert min(sizes) > 5
    assert page.evaluate("document.querySelector('math').namespaceURI") == "http://www.w3.org/1998/Math/MathML"
    fractions = page.evaluate("[...document.querySelectorAll('mfrac')].map((m) => m.getBoundingClientRect().height)")
    assert max(fractions) > 15


def test_figures_are_drawn(page):
    for box in page.evaluate(
        "[...document.querySelectorAll('figure svg')].map((s) => s.getBoundingClientRect().width)"
    ):
        assert box > 300


def test_search_and_boxes_filter(page):
    def left():
        return page.evaluate("[...document.querySelectorAll('article:not([hidden])')].map((a) => a.id)")

    every = left()
    page.fill("#words", "k3_as_loss 4")
    assert K3 in left()
    assert 0 < len(left()) < len(every)
    assert page.inner_text("#shown") == f"{len(left())} of {len(every)} theorems"
    page.fill("#words", "no such words")
    assert left() == []
    page.fill("#words", "")
    page.uncheck("input[value=PROVED]")
    assert 0 < len(left()) < len(every)
    assert page.evaluate("[...document.querySelectorAll('article:not([hidden])')].every((a) => "
                         "a.dataset.verdict === 'REFUTED')")  # fmt: skip


def test_deep_links_reveal_what_is_filtered_out(page):
    page.fill("#words", "no such words")
    page.evaluate(f"location.hash = '{K3}'")
    page.wait_for_function(f"!document.getElementById('{K3}').hidden")
    assert page.evaluate(f"document.getElementById('{K3}').getBoundingClientRect().top") < 800


def test_every_link_into_the_page_leads_somewhere(page):
    nowhere = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].filter((a) => "
        "!document.getElementById(a.getAttribute('href').slice(1))).length"
    )
    assert nowhere == 0


def contrast(page, selector):
    """The ratio of WCAG 2.2 between the colour of an element and the page behind it."""
    script = """(s) => {
      const lum = (c) => c.match(/[\\d.]+/g).slice(0, 3).map((x) => x / 255)
        .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
        .reduce((a, x, i) => a + x * [0.2126, 0.7152, 0.0722][i], 0);
      const a = lum(getComputedStyle(document.querySelector(s)).color);
      const b = lum(getComputedStyle(document.body).backgroundColor);
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }"""
    return page.evaluate(script, selector)


@pytest.mark.parametrize("selector", ["body", "a[href]", ".proved", ".refuted", ".number", "dt"])
def test_text_is_legible(page, selector):
    assert contrast(page, selector) >= 4.5


def test_it_prints(page, tmp_path):
    target = tmp_path / "atlas.pdf"
    page.pdf(path=str(target))
    assert target.read_bytes().startswith(b"%PDF")
    assert target.stat().st_size > 100_000
