"""What a person wants to know of a patient's verdicts, drawn together across trials: no new judgement, only order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sle_kg.report.text import OPEN_KINDS, plain
from sle_kg.verdict import OpenKind, RowVerdict, Status, Unread, Verdict


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a trial."""

    trial: str
    row: str


@dataclass(frozen=True, slots=True)
class OpenItem:
    """One thing that would settle rows that are unknown, in words that stand beside those rows."""

    text: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """Open items that have an answer in common: one section of the record, results of one span of days, or one item.

    `heading` says what they have in common; None for an item that stands alone.
    """

    kind: OpenKind
    heading: str | None
    items: tuple[OpenItem, ...]

    @property
    def trials(self) -> int:
        """How many trials it bears upon."""
        return len({place.trial for item in self.items for place in item.places})

    @property
    def rows(self) -> int:
        """How many rows it bears upon."""
        return len({place for item in self.items for place in item.places})


@dataclass(frozen=True, slots=True)
class Failure:
    """A top-level row that fails, with the parts that make it fail (none for a row without parts)."""

    row: RowVerdict
    parts: tuple[RowVerdict, ...]


@dataclass(frozen=True, slots=True)
class Expiry:
    """What passes until a date and no longer."""

    last_date: str
    what: tuple[str, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class UnreadGroup:
    """Records that were not understood for the same reason."""

    why: str
    code: str
    display: str
    records: tuple[str, ...]

    @property
    def what(self) -> str:
        """Why, with the record's own words and code as far as it has any."""
        words = " ".join(plain(part) for part in (self.display, self.code and f"({self.code})") if part)
        return ": ".join(filter(None, (plain(self.why), words)))


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row whose status another reading would change."""

    place: Place
    now: Status
    then: Status


@dataclass(frozen=True, slots=True)
class ReadingChange:
    """A documented reading under which rows would have another status."""

    ambiguity: str
    key: str
    rows: tuple[RowChange, ...]


@dataclass(frozen=True, slots=True)
class PatientSummary:
    """All verdicts of one patient on one date."""

    patient: str
    on: str
    verdicts: tuple[Verdict, ...]

    @property
    def nothing_against(self) -> bool:
        """Whether some trial has nothing against this patient."""
        return any(verdict.nothing_against for verdict in self.verdicts)

    @property
    def live(self) -> tuple[Verdict, ...]:
        """The verdicts that still can become "eligible": open ones, and those that only time rules out."""
        return tuple(verdict for verdict in self.verdicts if is_live(verdict))


def summarise(verdicts: Iterable[Verdict]) -> list[PatientSummary]:
    """One summary for each patient and date; patients with nothing against them first, else in the order given."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.patient, verdict.on), []).append(verdict)
    summaries = [PatientSummary(patient, on, tuple(group)) for (patient, on), group in groups.items()]
    return sorted(summaries, key=lambda summary: not summary.nothing_against)


def is_live(verdict: Verdict) -> bool:
    """False where a row fails that time alone will not mend."""
    return verdict.verdict != "ineligible" or all(
        row.passes_from is not None for row in verdict.criteria if row.parent is None and row.status == "fail"
    )


def failures(verdict: Verdict) -> list[Failure]:
    """The top-level rows that fail, each with its decisive failing parts (the innermost that fail)."""
    parents = {row.id: row.parent for row in verdict.criteria}
    failing = [row for row in verdict.criteria if row.status == "fail" and row.decisive]
    explained = {row.parent for row in failing}
    innermost = [row for row in failing if row.parent is not None and row.id not in explained]
    return [
        Failure(row, tuple(part for part in innermost if row.id in ancestors(part.id, parents)))
        for row in failing
        if row.parent is None
    ]


def ancestors(row: str, parents: dict[str, str | None]) -> list[str]:
    """The rows above `row`, nearest first; a row that is nobody's part has none."""
    found: list[str] = []
    parent = parents.get(row)
    while parent is not None and parent not in found:
        found.append(parent)
        parent = parents.get(parent)
    return found


def open_rows(verdict: Verdict) -> list[RowVerdict]:
    """Decisive unknown rows that have no parts, and groups that are unknown though no part of theirs is."""
    unknown = [row for row in verdict.criteria if row.status == "unknown" and row.decisive]
    explained = {row.parent for row in unknown}
    return [row for row in unknown if row.id not in explained]


def open_kind(row: RowVerdict) -> OpenKind:
    """Whose move an unknown row is."""
    return row.open_kind or ("judgement" if row.needs_judgement else "data")


def open_groups(verdicts: Sequence[Verdict]) -> list[OpenGroup]:
    """What would settle the unknown rows of these verdicts.

    Ordered by whose move it is; within that, what would settle most trials first, then most rows.
    """
    found: dict[tuple[OpenKind, str | None, str], dict[str, dict[Place, None]]] = {}
    for verdict in verdicts:
        for row in open_rows(verdict):
            kind = open_kind(row)
            for missing in row.missing or (row.text if kind == "judgement" else row.reason,):
                heading, text = _settling(missing)
                key = (kind, heading, "" if heading else text)
                found.setdefault(key, {}).setdefault(text, {})[Place(verdict.trial, row.id)] = None
    groups = [OpenGroup(kind, heading, _items(texts)) for (kind, heading, _), texts in found.items()]
    return sorted(groups, key=lambda group: (OPEN_KINDS.index(group.kind), -group.trials, -group.rows))


_HISTORY = re.compile(
    r"a record of (.+), a statement that (\w+) are complete up to (\S+), or an attestation \(attest:.+\)"
)
_RESULT = re.compile(r"((?!.*, and a value from ).+?),? (from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d)")
_OPEN_HISTORY = re.compile(r"a record of (.+), or an attestation \(attest:.+\)")
_DETAIL = re.compile(r"(.+ \([A-Z][A-Za-z]+/[^()]*(?:\([^()]*\)[^()]*)*\).*?)(?:, or an attestation \(attest:.+\))?")
_QUESTION = re.compile(
    r"(?:(?:the (?:investigator|patient)'s statement|a statement from the history): )?(.+) \(attest:[^)]+\)"
)


def _settling(missing: str) -> tuple[str | None, str]:
    """What a missing fact has in common with others, if anything, and the fact in short words.

    The words are those of `wording.Words.missing`: what many items share is said once, above them, and where an
    answer is recorded (`attest:…`) is said once, by the section's title, as the row stands beside each item.
    """
    if history := _HISTORY.fullmatch(missing):
        fact, section, day = history.groups()
        complete = f"one statement that {section} are complete up to {day}"
        return f"{section.capitalize()}: a record of each of these, or {complete}", fact
    if history := _OPEN_HISTORY.fullmatch(missing):
        return "A record of each of these, or an attestation (no complete list settles them)", history[1]
    if result := _RESULT.fullmatch(missing):
        return f"Results dated {result[2]}", result[1]
    if detail := _DETAIL.fullmatch(missing):
        return "Details that the records leave open", detail[1]
    if question := _QUESTION.fullmatch(missing):
        return None, question[1]
    return None, missing


def _items(found: Mapping[str, Mapping[Place, None]]) -> tuple[OpenItem, ...]:
    """The texts of a group, those about the same rows in one item; what bears on most trials and rows first."""
    texts: dict[tuple[Place, ...], list[str]] = {}
    for text, places in found.items():
        texts.setdefault(tuple(places), []).append(text)
    items = [OpenItem("; ".join(texts_), places) for places, texts_ in texts.items()]
    return tuple(sorted(items, key=lambda item: (-len({place.trial for place in item.places}), -len(item.places))))


def expiries(verdicts: Sequence[Verdict]) -> list[Expiry]:
    """What will expire when, the earliest first: the rows without parts that pass until a date."""
    found: dict[str, dict[Place, str]] = {}
    for verdict in verdicts:
        parts = {row.parent for row in verdict.criteria}
        for row in verdict.criteria:
            if row.valid_until is not None and row.status == "pass" and row.id not in parts:
                found.setdefault(row.valid_until, {})[Place(verdict.trial, row.id)] = _subject(row)
    return [Expiry(date, tuple(dict.fromkeys(rows.values())), tuple(rows)) for date, rows in sorted(found.items())]


def _subject(row: RowVerdict) -> str:
    """What the row's evidence is about; without evidence, the row's own words."""
    return ", ".join(dict.fromkeys(evidence.what for evidence in row.evidence)) or row.text


def unread_groups(verdicts: Sequence[Verdict]) -> list[UnreadGroup]:
    """The records of a patient that were not understood, by reason and code; the most frequent first."""
    records: dict[tuple[str, str, str], dict[str, Unread]] = {}
    for verdict in verdicts:
        for unread in verdict.unread:
            records.setdefault((unread.why, unread.code, unread.display), {})[unread.record] = unread
    groups = [UnreadGroup(*key, tuple(found)) for key, found in records.items()]
    return sorted(groups, key=lambda group: -len(group.records))


def reading_changes(verdicts: Sequence[Verdict]) -> list[ReadingChange]:
    """The readings under which decisive rows would change, sorted."""
    found: dict[tuple[str, str], list[RowChange]] = {}
    for verdict in verdicts:
        for row in verdict.criteria:
            for other in row.other_readings if row.decisive else ():
                change = RowChange(Place(verdict.trial, row.id), row.status, other.status)
                found.setdefault((other.ambiguity, other.key), []).append(change)
    return [ReadingChange(*reading, tuple(rows)) for reading, rows in sorted(found.items())]


def flagged(verdict: Verdict) -> list[tuple[RowVerdict, str]]:
    """The warnings and reviews that rows carry."""
    return [(row, flag) for row in verdict.criteria for flag in row.flags]


def places_text(places: Sequence[Place]) -> str:
    """`NCT06106906 E20a, E20b; NCT06892145 I03`."""
    by_trial: dict[str, list[str]] = {}
    for place in places:
        by_trial.setdefault(place.trial, []).append(plain(place.row))
    return "; ".join(f"{trial} {', '.join(rows)}" for trial, rows in by_trial.items())
