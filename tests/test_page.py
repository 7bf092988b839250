"""The page is self-contained and well-formed, has no errors in a browser, sorts its tables and fits on a phone."""

import json
import re
import shutil
import subprocess
from collections import Counter
from contextlib import chdir
from html import unescape
from html.parser import HTMLParser

import fake_runs
import pytest

from aebench.reporting import page, report, tables
from aebench.reporting.figures import FIGURES
from aebench.reporting.results import read
from aebench.reporting.sections import SECTIONS
from aebench.reporting.tables import cost

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
BEFORE = """<script>
window.failures = [];
addEventListener("error", (event) => failures.push(event.message || "a resource"), true);
console.error = (...all) => failures.push(all.join(" "));
</script>"""
AFTER = """<script>
addEventListener("load", () => {
  document.querySelectorAll("details").forEach((each) => (each.open = true));
  const table = document.querySelector("table");
  const column = (i) => [...table.tBodies[0].rows].map((row) => row.cells[i].textContent);
  const headers = [...table.tHead.rows[0].cells];
  const find = (text) => headers.findIndex((header) => header.textContent.startsWith(text));
  const sse = find("SSE ↓");
  const result = { failures, images: [...document.images].map((i) => i.naturalWidth), before: column(0), clicks: [] };
  for (const i of [sse, sse, 0, find("5-NN ↑")]) {
    headers[i].querySelector("button").click();
    result.clicks.push([i, headers[i].getAttribute("aria-sort"), column(i), headers.filter((h) => h.ariaSort).length]);
  }
  result.wide = document.documentElement.scrollWidth > innerWidth;
  result.width = innerWidth;
  result.paper = getComputedStyle(document.body).backgroundColor;
  document.body.innerHTML = "";
  document.title = JSON.stringify(result);
});
</script>"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Root of a fake project with a page."""
    root = tmp_path_factory.mktemp("page")
    fake_runs.write_fake_suite(root)
    with chdir(root):
        report(fake_runs.DATASET)
        page.write_index()
    return root


@pytest.fixture(scope="module")
def browsed(written):
    """Results of `AFTER` in a browser window of a phone's width, in light and dark mode."""
    if BROWSER is None:
        pytest.skip("no Chromium")
    text = (written / page.INDEX).read_text().replace("<head>", "<head>" + BEFORE).replace("</body>", AFTER + "</body>")
    (written / "reports" / "watched.html").write_text(text)
    return {mode: look(written, *flags) for mode, flags in {"light": (), "dark": ("--force-dark-mode",)}.items()}


def look(root, *flags):
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=375,800",
        *flags,
    ]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={root / 'profile'}", "--dump-dom"]
    done = subprocess.run([*command, (root / "reports" / "watched.html").as_uri()], capture_output=True, text=True, timeout=120)
    return json.loads(unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1]))


@pytest.mark.slow
def test_the_browser_reports_no_error_and_shows_every_image(browsed, written):
    for result in browsed.values():
        assert result["failures"] == []
        assert len(result["images"]) == (written / page.INDEX).read_text().count("<img ") > 5
        assert min(result["images"]) > 100


@pytest.mark.slow
def test_a_click_sorts_by_the_mean_best_first_and_a_second_reverses(browsed):
    (_, up, best_first, one), (_, down, worst_first, _), (_, _, names, _), (_, order, higher, _) = browsed["light"]["clicks"]
    means = [float(cell.replace("\u2007", "").partition(" ")[0]) for cell in best_first]
    assert (up, down, one) == ("ascending", "descending", 1)
    assert means == sorted(means) and len(set(means)) == len(fake_runs.BLOCKS)
    assert worst_first == best_first[::-1]
    assert names == sorted(names) and sorted(browsed["light"]["before"]) == names
    assert order == "descending", "higher is better for 5-NN"
    assert higher == sorted(higher, key=lambda cell: -float(cell.replace("\u2007", "").partition(" ")[0]))


@pytest.mark.slow
def test_a_phone_needs_no_horizontal_scrolling_and_dark_mode_has_another_background(browsed):
    assert not browsed["light"]["wide"] and browsed["light"]["width"] <= 500
    assert browsed["light"]["paper"] != browsed["dark"]["paper"]


def test_every_section_has_its_tables_and_figures(written):
    text = (written / page.INDEX).read_text()
    with chdir(written):
        results = read(fake_runs.DATASET)
        parts = page._parts(results, [*tables.tables(results)[1:], cost.table(results)])
    assert [part["key"] for part in parts] == [key for key in SECTIONS if f'id="{fake_runs.DATASET}-{key}"' in text]
    assert {"claims", "reconstruction", "robustness", "generation", "linear_probe", "cost"} <= {part["key"] for part in parts}
    for part in parts:
        body = text.partition(f'<section id="{fake_runs.DATASET}-{part["key"]}">')[2].partition("</section>")[0]
        assert all(table.title in unescape(body) for table in part["tables"])
        assert body.count("<img ") == len(part["figures"])


class Page(HTMLParser):
    """Parser that checks that elements are closed in order, and collects elements and ids."""

    EMPTY = ("meta", "img", "br", "hr", "link", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.elements = [], Counter(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.ids.update(value for name, value in attributes if name == "id")
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_is_well_formed_and_its_links_lead_to_files_or_anchors(written):
    text = Page((written / page.INDEX).read_text())
    assert text.open == [] and max(text.ids.values()) == 1
    links = {link["href"] for link in text.all("a")}
    assert f"{fake_runs.DATASET}/table.csv" in links and sum(link.startswith("#") for link in links) > 5
    for link in links - {"claims.md", "../docs/lecture.md"}:  # not written here
        assert link[1:] in text.ids if link.startswith("#") else (written / "reports" / link).exists(), link


def test_the_page_needs_no_other_file(written):
    text = (written / page.INDEX).read_text()
    elements = Page(text)
    assert len(elements.all("img")) == len(FIGURES)
    for image in elements.all("img"):
        assert image["src"].startswith("data:image/png;base64,") and len(image["alt"]) > 20
    for tag, attributes in elements.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert tag == "img" or "src" not in attributes
        assert "style" not in attributes
    assert not re.search(r"url\(|@import", text)


def test_the_index_joins_the_data_sets_of_the_suite_and_lists_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (fake_runs.DATASET, "second", "other"):
        fake_runs.write_fake_suite(tmp_path, name)
    fake_runs.write_params([fake_runs.DATASET, "second"], list(fake_runs.BLOCKS))
    for name in (fake_runs.DATASET, "second"):
        page.write(read(name))
    page.write_index()
    text = page.INDEX.read_text()
    sections = [section["id"] for section in Page(text).all("section")]
    assert [name for name in sections if "-" not in name] == [fake_runs.DATASET, "second", "others"]
    assert {"#fake", "#second"} <= {link["href"] for link in Page(text).all("a")}
    assert re.findall(r'make reproduce DATASETS="(\w+)"', text) == ["other"]
