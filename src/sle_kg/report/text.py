"""Words that every human-readable report uses, and making hostile patient text harmless on a terminal."""

from __future__ import annotations

import re
import unicodedata

from sle_kg.criteria import Trial
from sle_kg.verdict import OpenKind, RowVerdict, Status, Verdict

AID_SENTENCE = (
    "sle-kg is a pre-screening aid: it reads the public registry text, not the protocol; "
    "the investigator decides about enrolment."
)
NOTHING_AGAINST_SENTENCE = (
    '"Nothing against" means that no row is known to fail and that only tests, agreements or judgements are open: '
    "the patients to call first."
)
LISTED_INCLUSION_SENTENCE = '"eligible" means "meets the listed inclusion criteria".'
ELIGIBLE_AS_LISTED = "meets the listed inclusion criteria"

OPEN_KINDS: tuple[OpenKind, ...] = ("data", "test", "agreement", "judgement")
"""Whose move it is, in the order in which a coordinator works: look up, test, ask the patient, ask the investigator."""

OPEN_TITLES: dict[OpenKind, str] = {
    "data": "Data to look up",
    "test": "Tests to be done",
    "agreement": "Agreements to obtain",
    "judgement": "For the investigator to judge",
}

STATUS_MARKS: dict[Status, str] = {"pass": "✓", "fail": "✗", "unknown": "?", "not-applicable": "–"}

_CLOSED = frozenset({"COMPLETED", "TERMINATED", "WITHDRAWN", "SUSPENDED", "ACTIVE_NOT_RECRUITING"})
"""Statuses of ClinicalTrials.gov under which a trial takes no new patient."""

_ESCAPE = re.compile(r"\\([<>\[\]()*_~#+-])")
_REPLACEMENT = "�"


def plain(text: str) -> str:
    """The text on one line without anything that could steer a terminal or turn the reading direction.

    White space becomes one space; control, format, surrogate and private characters become U+FFFD.
    """
    return harmless(" ".join(text.split()))


def harmless(text: str) -> str:
    """The text with its spaces kept as they are: other white space becomes a space, what `plain` bans U+FFFD."""
    if text.isprintable():
        return text
    return "".join(_harmless_character(character) for character in text)


def _harmless_character(character: str) -> str:
    if character.isspace():
        return " "
    return _REPLACEMENT if unicodedata.category(character).startswith("C") else character


def shorten(text: str, length: int) -> str:
    """`plain` text of at most `length` characters, cut at a word with an ellipsis."""
    line = plain(text)
    if len(line) <= length:
        return line
    head, _, tail = line[: length - 1].rpartition(" ")
    return (head if len(head) > length // 2 else head + " " + tail).strip() + "…"


def verdict_phrase(verdict: Verdict) -> str:
    """The verdict in words; where the copy shows no exclusion criteria, "eligible" says what it means."""
    if verdict.verdict == "eligible" and not verdict.source_complete:
        return f"eligible ({ELIGIBLE_AS_LISTED})"
    return verdict.verdict


def caveats_of(verdict: Verdict | Trial) -> tuple[str, ...]:
    """The sentences that a human-readable verdict must carry, each once, without the general sentence."""
    sentences = [caveat for caveat in verdict.caveats if caveat != AID_SENTENCE]
    if not verdict.source_complete and not any(ELIGIBLE_AS_LISTED in sentence for sentence in sentences):
        sentences.append(LISTED_INCLUSION_SENTENCE)
    return tuple(dict.fromkeys(sentences))


def earliest_sentence(verdict: Verdict) -> str:
    """The earliest date of eligibility in words; nothing where there is none."""
    if verdict.earliest_eligible is None:
        return ""
    if verdict.verdict == "eligible":
        return f"eligible on the screening date, {verdict.earliest_eligible}"
    return f"if nothing but time changes, eligible from {verdict.earliest_eligible}"


def recruitment_sentence(verdict: Verdict | Trial) -> str:
    """The recruitment status with its date, and what it means where the trial takes nobody."""
    closed = "; the trial did not recruit on that date" if verdict.recruitment_status in _CLOSED else ""
    return f"{plain(verdict.recruitment_status)} as of {plain(verdict.recruitment_as_of)}{closed}"


def quotation(text: str) -> str:
    """A quotation for people: the registry's Markdown escapes (`\\>`) as the characters that they stand for."""
    return _ESCAPE.sub(r"\1", plain(text))


def reason_sentence(row: RowVerdict) -> str:
    """The reason, and the date from which the row would pass if only time is missing, unless the reason says it."""
    if row.passes_from is None or row.passes_from in row.reason:
        return plain(row.reason)
    return f"{plain(row.reason)} It would pass from {row.passes_from}."


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
