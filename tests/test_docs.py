"""Every command and query of the documents runs, and prints what the document says."""

import re
from pathlib import Path

import pytest

import documents

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def relative(document: Path) -> str:
    return document.relative_to(documents.ROOT).as_posix()


@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=relative)
def test_a_document_prints_what_the_program_prints(document, tmp_path):
    assert documents.refreshed(document, documents.copy_checkout(tmp_path)) == document.read_text()


@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=relative)
def test_links_inside_the_project_lead_somewhere(document):
    targets = [target for target in LINK.findall(document.read_text()) if "://" not in target]
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", documents.DOCUMENTS, ids=relative)
def test_commands_stand_only_where_they_are_run(document):
    blocks = documents.fences(document.read_text())
    assert [block.info for block in blocks if block.info.split()[:1] in (["sh"], ["bash"], ["shell"])] == []


def test_a_wrong_output_is_noticed(tmp_path):
    document = tmp_path / "wrong.md"
    document.write_text("```console\n$ echo true\nfalse\n```\n")
    assert documents.refreshed(document, tmp_path) == "```console\n$ echo true\ntrue\n```\n"


def test_a_failing_command_is_noticed(tmp_path):
    document = tmp_path / "failing.md"
    document.write_text("```console\n$ false\n```\n")
    with pytest.raises(AssertionError, match="'false' ended with 1"):
        documents.refreshed(document, tmp_path)
