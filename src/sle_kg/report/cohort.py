"""What a cohort adds up to, as table, JSON or HTML."""

from __future__ import annotations

import json
from typing import Any, Literal

from sle_kg.cohort.summary import Candidate, CohortSummary, Overlap, Step, TrialSummary, Work
from sle_kg.report.cohort_whatif import as_json
from sle_kg.report.json_report import verdict_object
from sle_kg.verdict import Evidence

CohortFormat = Literal["table", "json", "html"]

REACH_SENTENCE = (
    '"reached" are patients whom this trial or one above it does not exclude; "alone" those whom no other one takes in.'
)
WORK_SENTENCE = (
    '"settles" counts undetermined patients whose verdict is known as soon as this row is answered, either way; '
    '"open" those in whom it is open and decides.'
)
FUNNEL_SENTENCE = (
    '"left" are patients who fail no criterion so far, "sure" those of them who are known to pass all so far; '
    '"costs alone" counts patients who fail this criterion and no other.'
)


def render_cohort(summary: CohortSummary, form: CohortFormat, width: int = 100, colour: bool = False) -> bytes:
    """The summary in one of the formats, as UTF-8; `width` and `colour` concern the table alone."""
    match form:
        case "json":
            return render_json(summary)
        case "html":
            from sle_kg.report.cohort_html import render_html

            return render_html(summary)
        case "table":
            from sle_kg.report.cohort_table import render_table

            return render_table(summary, width, colour).encode("utf-8", "replace")


def render_json(summary: CohortSummary) -> bytes:
    """One JSON object; a suppressed count is null."""
    value = {
        "on": summary.on.isoformat(),
        "engine": summary.engine,
        "patients": summary.patients,
        "suppressedBelow": summary.suppressed_below or None,
        "inAnyTrial": summary.in_any,
        "reach": [{"trial": one.trial, "reached": one.reached, "alone": one.alone} for one in summary.reach],
        "trials": [_trial(trial, listed=not summary.suppressed_below) for trial in summary.trials],
        "overlap": [_overlap(one) for one in summary.overlap],
        "evidence": [verdict_object(verdict) for verdict in summary.evidence],
    }
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _trial(summary: TrialSummary, listed: bool) -> dict[str, Any]:
    trial = summary.trial
    return {
        "trial": trial.id,
        "label": trial.label,
        "recruitment": {
            "status": trial.recruitment_status,
            "asOf": trial.recruitment_as_of,
            "source": trial.recruitment_source,
        },
        "caveats": list(trial.caveats),
        "sourceComplete": trial.source_complete,
        "verdicts": summary.verdicts,
        "nothingAgainst": summary.nothing_against,
        "funnel": [_step(step) for step in summary.funnel],
        "candidatesInAll": summary.candidates_in_all,
        "candidates": [_candidate(one) for one in summary.candidates] if listed else None,
        "workList": [_work(one) for one in summary.work],
        "whatIf": None if summary.what_if is None else as_json(summary.what_if),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.row,
        "kind": step.kind,
        "text": step.words,
        "left": step.left,
        "certain": step.certain,
        "failing": step.failing,
        "unknown": step.unknown,
        "costsAlone": step.alone,
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "patient": one.patient,
        "verdict": one.verdict,
        "unknownCount": one.unknown,
        "nothingAgainst": not one.against,
        "earliestEligible": one.earliest.isoformat() if one.dated else None,
        "open": list(one.open),
        "settledBy": list(one.settled_by),
    }


def _work(one: Work) -> dict[str, Any]:
    return {"id": one.row, "text": one.words, "openKind": one.kind, "settles": one.settles, "open": one.open}


def _overlap(one: Overlap) -> dict[str, Any]:
    return {"trials": list(one.trials), "candidates": one.candidates, "eligible": one.eligible}


def record_line(evidence: Evidence) -> str:
    """One record: what it is, its value, its date, its id."""
    words = " ".join(filter(None, (evidence.what, evidence.value, evidence.when)))
    return f"{words} ({evidence.record})"


def shown(count: int | None) -> str:
    """A count for people; suppressed ones all look the same, small or not."""
    return "–" if count is None else f"{count}"


def suppressed_sentence(below: int) -> str:
    """What the sign of a suppressed count means."""
    return (
        f'"–" is a count that is not shown: it is below {below}, or would give such a one away. No patient is listed.'
    )
