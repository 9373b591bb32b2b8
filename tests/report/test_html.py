"""The HTML report is one file that asks for nothing, holds every row, and is not steered by a patient's text."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import sle_kg.report
from report import sample
from sle_kg.report.html import render_html
from sle_kg.report.text import AID_SENTENCE

TEMPLATES = Path(sle_kg.report.__file__).parent / "templates"

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Notes the tags, their attributes and the text, and that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(verdicts) -> Reader:
    reader = Reader()
    reader.feed(render_html(verdicts).decode())
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def page() -> Reader:
    return read(sample.verdicts())


def test_every_row_has_quotation_status_reason_and_evidence(page):
    text = " ".join(page.text.split())
    for verdict in sample.verdicts():
        for row in verdict.criteria:
            assert row.text in text
            assert row.reason in text
    assert "SLEDAI-2K: 9, 2026-11-10" in text
    assert "A1-05=any-sledai: pass" in text


def test_a_page_for_each_patient_nothing_against_first(page):
    assert len(page.of("section")) == 2
    assert page.text.index("vignette-02 on") < page.text.index("vignette-17 on")


def test_it_is_self_contained(page):
    assert {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "base", "form"} == set()
    assert [a["href"] for a in page.of("a") if not a["href"].startswith("#")] == []
    assert "url(" not in render_html(sample.verdicts()).decode()


def test_its_policy_admits_its_own_style_alone(page):
    [policy] = [meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    style = re.search(r"<style>(.*)</style>", render_html(sample.verdicts()).decode(), re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy


def test_links_lead_somewhere(page):
    targets = {attributes.get("id") for _, attributes in page.tags}
    assert {a["href"][1:] for a in page.of("a")} <= targets


def test_it_can_be_heard(page):
    assert page.of("html") == [{"lang": "en"}]
    assert len(page.of("h1")) == 1
    assert all(header.get("scope") in ("col", "row") for header in page.of("th"))


@pytest.mark.parametrize("style", sorted(TEMPLATES.glob("*.css")), ids=lambda style: style.name)
def test_paper_is_no_telephone(style):
    assert re.findall(r"@media \(max-width", style.read_text()) == []


def test_the_status_is_told_by_a_word_and_a_mark(page):
    told = ("✓ pass", "✗ fail", "? unknown", "– not-applicable")
    assert [words for words in told if words not in page.text] == []


def test_it_says_what_it_is_and_what_eligible_means(page):
    assert AID_SENTENCE in page.text
    assert "eligible (meets the listed inclusion criteria)" in page.text
    assert '"eligible" means "meets the listed inclusion criteria"' in page.text


def test_hostile_text_is_text():
    page = read([sample.hostile()])
    assert page.of("script") == []
    assert "<script>alert(1)</script>" in page.text
    assert set("\x1b\x07\u202e") & set(page.text) == set()


def test_the_same_verdicts_give_the_same_bytes():
    assert render_html(sample.verdicts()) == render_html(sample.verdicts())
