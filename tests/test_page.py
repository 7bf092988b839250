"""The page in a browser: nothing fails, nothing is missing, tables sort, a phone need not scroll sideways."""

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

from aebench.lock import Lock
from aebench.reporting import page
from aebench.reporting.results import read
from aebench.reporting.sections import SECTIONS
from stages import report

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
  const heads = [...table.tHead.rows[0].cells];
  const sse = heads.findIndex((head) => head.textContent.startsWith("SSE ↓"));
  const found = { failures, images: [...document.images].map((i) => i.naturalWidth), before: column(0), clicks: [] };
  for (const i of [sse, sse, 0, sse + 3]) {
    heads[i].querySelector("button").click();
    found.clicks.push([i, heads[i].getAttribute("aria-sort"), column(i), heads.filter((h) => h.ariaSort).length]);
  }
  found.wide = document.documentElement.scrollWidth > innerWidth;
  found.width = innerWidth;
  found.paper = getComputedStyle(document.body).backgroundColor;
  document.body.innerHTML = "";
  document.title = JSON.stringify(found);
});
</script>"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A fake project's page, one of whose numbers was not measured."""
    root = tmp_path_factory.mktemp("page")
    fake_runs.write_fake_suite(root)
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lock, "fingerprint", lambda self, dataset: "0123456789ab")
        report.main(fake_runs.DATASET)
        page.write_index()
    return root


@pytest.fixture(scope="module")
def seen(written):
    """What the browser finds on a phone that is set to light, and on one that is set to dark."""
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
def test_nothing_fails_and_every_image_is_there(seen, written):
    for found in seen.values():
        assert found["failures"] == []
        assert len(found["images"]) == (written / page.INDEX).read_text().count("<img ") > 5
        assert min(found["images"]) > 100


@pytest.mark.slow
def test_a_click_sorts_by_the_mean_better_first_and_a_second_turns_it_round(seen):
    (_, up, best_first, one), (_, down, worst_first, _), (_, _, names, _), (_, order, higher, _) = seen["light"]["clicks"]
    means = [float(cell.replace("\u2007", "").partition(" ")[0]) for cell in best_first]
    assert (up, down, one) == ("ascending", "descending", 1)
    assert means == sorted(means) and len(set(means)) == len(fake_runs.BLOCKS)
    assert worst_first == best_first[::-1]
    assert names == sorted(names) and sorted(seen["light"]["before"]) == names
    assert order == "descending", "5-NN: higher is better"
    assert higher == sorted(higher, key=lambda cell: -float(cell.replace("\u2007", "").partition(" ")[0]))


@pytest.mark.slow
def test_a_phone_need_not_scroll_sideways_and_dark_is_dark(seen):
    assert not seen["light"]["wide"] and seen["light"]["width"] <= 500
    assert seen["light"]["paper"] != seen["dark"]["paper"]


def test_every_question_with_an_answer_is_a_part_with_its_tables_and_figures(written):
    text = (written / page.INDEX).read_text()
    with chdir(written):
        parts = page._parts(read(fake_runs.DATASET))
    assert [part["key"] for part in parts] == [key for key in SECTIONS if f'id="{fake_runs.DATASET}-{key}"' in text]
    assert {"claims", "reconstruction", "robustness", "generation", "downstream", "cost"} <= {part["key"] for part in parts}
    for part in parts:
        body = text.partition(f'<section id="{fake_runs.DATASET}-{part["key"]}">')[2].partition("</section>")[0]
        assert all(table.title in unescape(body) for table in part["tables"])
        assert body.count("<img ") == len(part["figures"])


class Nesting(HTMLParser):
    """That what is opened is closed in its order, and what is pointed to is there."""

    EMPTY = ("meta", "img", "br", "hr", "link", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.targets = [], Counter(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self.ids.update([told["id"]] if "id" in told else [])
        self.targets |= {told["href"][1:]} if told.get("href", "").startswith("#") else set()
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_its_anchors_are_there(written):
    found = Nesting((written / page.INDEX).read_text())
    assert found.open == []
    assert max(found.ids.values()) == 1
    assert len(found.targets) > 5 and found.targets <= set(found.ids)
