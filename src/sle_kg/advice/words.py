"""Doubtful details in words: exactly what is asked of which record, named as the record has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sle_kg.advice.doubts import SEX
from sle_kg.advice.trying import Attempt
from sle_kg.evaluate import Bound
from sle_kg.phrases import lower_first
from sle_kg.verdict import Evidence

MOST_ASKED = 5
"""Details that are asked for singly; of more it is said how many there are."""


def useful(attempts: Iterable[Attempt], settles: Callable[[Bound], bool]) -> list[Attempt]:
    """The attempts of which some answer settles a comparison; `settles` says so of bounds."""
    return [attempt for attempt in attempts if any(map(settles, attempt.bounds))]


def superseding(attempts: Iterable[Attempt]) -> bool:
    """Whether no new result would help: a recorded one may be of today, or nobody knows whose sex it is about."""
    return any(doubt.latest or doubt.asked == SEX for attempt in attempts for doubt in attempt.doubts)


def details(attempts: Iterable[Attempt], line: Callable[[str], Evidence]) -> list[str]:
    """What of the records is asked for: one text for each detail; details that help only together stand in one.

    `line` gives what is recorded.
    """
    texts = list(dict.fromkeys(_text(attempt, line) for attempt in attempts))
    left = len(texts) - MOST_ASKED
    return texts if left <= 0 else [*texts[:MOST_ASKED], f"{left} more such detail{'s' if left > 1 else ''}"]


def _text(attempt: Attempt, line: Callable[[str], Evidence]) -> str:
    """`the day of live vaccine (Immunization/r76, 2026-10)`."""
    if not attempt.doubts:
        return f"which holds: {_listed([_named(line(record)) for record in attempt.records], 'or')}"
    asked: dict[str, list[str]] = {}
    for doubt in attempt.doubts:
        asked.setdefault(doubt.record, []).append(doubt.asked)
    return _listed([text for record, some in asked.items() for text in _of_record(some, line(record))], "and")


def _of_record(asked: Sequence[str], of: Evidence) -> Iterator[str]:
    """What is asked of one record; it is named in full once."""
    for place, text in enumerate(dict.fromkeys(asked)):
        yield text.format(_named(of) if place == 0 else "it")


def _named(of: Evidence) -> str:
    """What a record is called, its id, and what it says."""
    known = ", ".join(filter(None, (of.record, of.value, of.when)))
    return f"{lower_first(of.what or 'the record')} ({known})"


def _listed(texts: Sequence[str], word: str) -> str:
    """`a, b and c`; of many the first ones."""
    shown = list(texts[:MOST_ASKED])
    if len(texts) > len(shown):
        return f"{', '.join(shown)} {word} {len(texts) - len(shown)} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {word} {shown[-1]}"
