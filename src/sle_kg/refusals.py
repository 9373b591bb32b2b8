"""What stands against a consent, in words: withdrawn, replaced, refused, left unclear or ended; and what settles it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sle_kg.features.consent import Row, against

DECEASED = "recorded as deceased"
_SAID = {"inactive": "was withdrawn or replaced", "rejected": "was refused", "unclear": "was left unclear"}
"""What consents of a status say that stand against others; one that is active has ended."""
MOST_NAMED = 3
"""Records named in one sentence before "…"."""


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """A record that stands against a consent: what it says, from the first to the last day that it can mean.

    `outdated_after` is the last possible day of the record itself: a consent signed later settles it; None: unknown.
    """

    first: dt.date
    record: str
    said: str
    last: dt.date | None
    outdated_after: dt.date | None

    @property
    def dated(self) -> bool:
        """Whether the day of the record is known."""
        return self.last is not None and self.first == self.last

    @property
    def words(self) -> str:
        """`refused on 2026-11-21 (Consent/c2)`."""
        return self.sentence.removeprefix("was ")

    @property
    def sentence(self) -> str:
        """`was refused on 2026-11-21 (Consent/c2)`."""
        day = f"{self.first}" if self.dated else "a day that is not known"
        if self.last is not None and dt.date.min < self.first < self.last:
            day = f"a day from {self.first} to {self.last}"
        return f"{self.said} on {day} ({self.record})"


def refusals(rows: Iterable[Row], on: dt.date) -> tuple[Refusal, ...]:
    """What stands against the consent of a patient to a trial, in the order of its dates; nothing where it holds."""
    found = []
    for row in against(rows, on):
        said = _SAID.get(row["status"] or "active", "ended")
        column = "until" if said == "ended" else "date"
        first = row[f"{column}_from"] or dt.date.min
        found.append(Refusal(first, row["record"], said, row[f"{column}_to"], row["date_to"]))
    return tuple(sorted(found, key=lambda one: (one.first, one.record, one.said)))


def deaths(rows: Iterable[Row]) -> tuple[Refusal, ...]:
    """The records of a death, which stand against every consent; no later one settles them."""
    found = (Refusal(row["date_from"] or dt.date.min, row["record"], DECEASED, row["date_to"], None) for row in rows)
    return tuple(sorted(found, key=lambda one: (one.first, one.record)))


def reason(found: Sequence[Refusal]) -> str:
    """Why there is no consent."""
    more = len(found) - MOST_NAMED
    return ", ".join(one.words for one in found[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def settling(found: Sequence[Refusal], row_code: str) -> tuple[str, ...]:
    """What would settle the row, each alone; `row_code` is the attestation code of the row, empty for none."""
    if any(one.said == DECEASED for one in found):
        return ("that the patient is alive: the record of the death corrected or withdrawn",)
    vague = [f"the day on which consent {one.said} ({one.record})" for one in found if not one.dated][:MOST_NAMED]
    outdated = [one.outdated_after for one in found]
    attested = f"an attestation ({row_code}) that consent holds" if row_code else "word that consent holds"
    said = f"consent {' and '.join(one.sentence for one in found[-MOST_NAMED:])}"
    if all(outdated):
        latest = max(day for day in outdated if day)
        return (*vague, f"{said}: a new consent to this trial, signed after {latest}, or {attested}")
    return (*vague, f"{said}: {attested}")
