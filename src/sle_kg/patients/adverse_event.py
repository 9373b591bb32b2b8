"""What a record of an adverse event says: kind, grade, seriousness, relation to a product, outcome.

A grade stands in the event itself or in observations that refer to it (`ctcaeGrade`, `crsGrade`, `icansGrade`); of
several days the highest counts, of several grades on one day, or in the event and in observations, a range remains.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sle_kg.ontology import EventKind
from sle_kg.patients.dates import Interval
from sle_kg.patients.raw import RawRecord

COMMON_GRADE = "ctcaeGrade"
"""The grade that every kind of event may have (CTCAE v5.0)."""
DOSE_LIMITING = "doseLimitingToxicity"

_GRADE = re.compile(
    r"(?:.*\bgrade[\s:_-]*)?(\d{1,2})(?:\.0+)?(?:\s+(?:mild|moderate|severe|life-threatening))?(?:\s+adverse event)?",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\([^()]*\)")
_ASIDES = re.compile(r"\b(?:ctcae|astct)\b|\bgr(?:ade)?\b\W*(?:[0-5]|iv|i{1,3}|v)\b|\W+")
_NOT_SERIOUS = re.compile(r"non?t?[\s-]*serious.*")
_SERIOUS = re.compile(r"serious.*")
_DEATH = frozenset({"fatal", "seriousresultsindeath"})
_SURVIVED = frozenset({"resolved", "recovering", "ongoing", "resolvedwithsequelae"})
"""HL7 AdverseEventOutcome and AdverseEventSeriousness (FHIR R4); its `unknown` says nothing."""
_RELATED = frozenset(
    {
        "certain",
        "certainly related",
        "definite",
        "definitely",
        "definitely related",
        "likely",
        "likely related",
        "possible",
        "possibly",
        "possibly related",
        "probable",
        "probably",
        "probably likely",
        "probably related",
        "related",
    }
)
_UNRELATED = frozenset(
    {"not likely", "not related", "probably not related", "unlikely", "unlikely related", "unlikely to be related"}
) | {"unrelated", "definitely not related"}
"""WHO-UMC causality categories (HL7 AdverseEventCausalityAssessment) and what trials write in their place."""


@dataclass(frozen=True, slots=True)
class Remark:
    """An observation about an adverse event: a grade with its bounds, or whether it was dose-limiting.

    A grade that could not be read has neither bounds nor answer.
    """

    test: str
    dates: Interval
    low: Decimal | None
    high: Decimal | None
    positive: bool | None


@dataclass(frozen=True, slots=True)
class GradeScale:
    """Least and greatest grade that an event can have (CTCAE: 1, and 5 for death related to the event)."""

    least: Decimal
    most: Decimal


Bounds = tuple[Decimal | None, Decimal | None]
OPEN: Bounds = (None, None)


def grade_in(text: str) -> str | None:
    """The number of a grade written as `2`, `grade-2`, `CTCAE Grade 2` or `Grade 2 Adverse Event`."""
    match = _GRADE.fullmatch(text.strip())
    return match[1] if match else None


def named_kinds(text: str, kinds: Iterable[EventKind]) -> set[str]:
    """The kinds that a text names, its grade and what stands in brackets aside: `CRS (grade 2)` is `crs`."""
    bare = _bare(text)
    return {kind.key for kind in kinds if bare and bare in map(_bare, kind.phrases)}


def grade(
    raw: RawRecord, remarks: Sequence[Remark], kinds: Sequence[EventKind], scale: GradeScale
) -> tuple[Bounds, list[str]]:
    """Bounds of the highest grade of an event, and why a stated grade could not be read.

    An event of a kind with a scale of its own (CRS, ICANS) has the grade of that scale where there is one, else that
    of CTCAE. A fatal event is of the greatest grade. A severity (mild, moderate, severe) is no
    grade: it leaves grade 1 or more.
    """
    stated, faults = _stated(raw, scale)
    observed = _observed(_of_scale(remarks, kinds))
    if observed is not None and observed[1] is not None and observed[1] < scale.least:
        faults.append(f"the grade {observed[1]:f} is no grade of an adverse event: {scale.least:f} to {scale.most:f}")
        observed = OPEN
    if is_fatal(raw):
        return (scale.most, scale.most), faults
    found = [bounds for bounds in (stated, observed) if bounds is not None]
    low = _least([low for low, _ in found])
    if low is not None or raw.values.get("severityCoding"):
        low = max(low or scale.least, scale.least)
    return (low, _greatest([high for _, high in found])), faults


def is_serious(raw: RawRecord) -> bool | None:
    """Whether the event is serious: the codes of HL7 AdverseEventSeriousness, or the word."""
    answers = set()
    for word in _words(raw, "seriousnessCoding"):
        if _NOT_SERIOUS.fullmatch(word):
            answers.add(False)
        elif _SERIOUS.fullmatch(word):
            answers.add(True)
    return answers.pop() if len(answers) == 1 else None


def is_related(raw: RawRecord) -> bool | None:
    """Whether the event is related to the suspected products: known where all of them are assessed alike.

    Which of several products a trial asks about is not told; a product without assessment leaves it open.
    """
    answers = {relation_in(word) for word in _words(raw, "causalityCoding")}
    return answers.pop() if len(answers) == 1 else None


def relation_in(text: str) -> bool | None:
    """Related or not, by a category of causality; None where the category leaves it open or is not known."""
    word = re.sub(r"[^a-z]+", " ", text.casefold()).strip()
    return word in _RELATED if word in _RELATED | _UNRELATED else None


def is_fatal(raw: RawRecord) -> bool | None:
    """Whether the patient died of the event, by its outcome or its seriousness."""
    words = {*_words(raw, "outcomeCoding"), *_words(raw, "seriousnessCoding")}
    if words & _DEATH:
        return True
    return False if words & _SURVIVED else None


def is_dose_limiting(raw: RawRecord, remarks: Iterable[Remark]) -> bool | None:
    """Whether the investigator called the event dose-limiting; None where nobody said, or answers contradict."""
    answers = {remark.positive for remark in remarks if remark.test == DOSE_LIMITING}
    answers |= {flag for flag in raw.values.get("doseLimiting", ()) if isinstance(flag, bool)}
    return answers.pop() if len(answers) == 1 else None


def event_words(low: Decimal | None, high: Decimal | None, serious: bool | None, related: bool | None) -> str:
    """What evidence says of an event: `grade 2, serious, related`."""
    if low is None and high is None:
        shown = "grade not known"
    elif low == high:
        shown = f"grade {low:f}"
    elif low is None:
        shown = f"grade {high:f} or less"
    else:
        shown = f"grade {low:f} or more" if high is None else f"grade {low:f} to {high:f}"
    seriousness = {True: "serious", False: "not serious", None: ""}[serious]
    relation = {True: "related", False: "not related", None: ""}[related]
    return ", ".join(filter(None, (shown, seriousness, relation)))


def _stated(raw: RawRecord, scale: GradeScale) -> tuple[Bounds | None, list[str]]:
    """Bounds of the grades in the event itself; None where it has none, open where one cannot be read."""
    grades: list[Decimal] = []
    faults: list[str] = []
    for value in raw.values.get("eventGrade", ()):
        text = grade_in(f"{value:f}" if isinstance(value, Decimal) else str(value))
        if text is not None and scale.least <= Decimal(text) <= scale.most:
            grades.append(Decimal(text))
        else:
            faults.append(f"{str(value)!r} is no grade of an adverse event: {scale.least:f} to {scale.most:f}")
    if faults:
        return OPEN, faults
    return (min(grades), max(grades)) if grades else None, faults


def _of_scale(remarks: Sequence[Remark], kinds: Sequence[EventKind]) -> list[Remark]:
    """The grades that count: those of the kind's own scale, else of CTCAE; of an event of no known kind, all."""
    graded = [remark for remark in remarks if remark.test != DOSE_LIMITING]
    if not kinds:
        return graded
    own = [remark for remark in graded if remark.test in {kind.graded_by for kind in kinds}]
    return own or [remark for remark in graded if remark.test == COMMON_GRADE]


def _observed(remarks: Iterable[Remark]) -> Bounds | None:
    """Bounds of the highest grade of all days; None where there is no observation."""
    days: dict[Interval, list[Remark]] = {}
    for remark in remarks:
        days.setdefault(remark.dates, []).append(remark)
    if not days:
        return None
    lows = [_least([remark.low for remark in day]) for day in days.values()]
    highs = [_greatest([remark.high for remark in day]) for day in days.values()]
    return max((low for low in lows if low is not None), default=None), _greatest(highs)


def _least(values: list[Decimal | None]) -> Decimal | None:
    """The least of lower bounds; None where one of them is open."""
    known = [value for value in values if value is not None]
    return min(known) if known and len(known) == len(values) else None


def _greatest(values: list[Decimal | None]) -> Decimal | None:
    """The greatest of upper bounds; None where one of them is open."""
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def _words(raw: RawRecord, name: str) -> list[str]:
    """The codes and texts of a coded element, in small letters."""
    return [code.strip().casefold() for _, code, _ in raw.codings(name)]


def _bare(text: str) -> str:
    return " ".join(_ASIDES.sub(" ", _BRACKETS.sub(" ", text.casefold())).split())
