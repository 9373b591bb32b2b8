"""Classification of lupus over time: the recorded classification, points with bounds, and the items that count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from sle_kg.criteria import Leaf
from sle_kg.evaluate import Bound
from sle_kg.followup.assessment import Assessment, Result, Results, Scorer, feature, known
from sle_kg.followup.explain import sentence
from sle_kg.followup.results import ScoreResult
from sle_kg.followup.score_totals import plain
from sle_kg.followup.session import FollowUp
from sle_kg.ontology import Instrument, Item
from sle_kg.wording import lower_first

DIAGNOSIS = "sleDiagnosis"
ENTRY = "entry"
"""Kind of the item that is a condition of entry and gives no points."""


class ClassificationScore(Scorer):
    """A classification set: met or not, points, items. Items are cumulative: once present counts."""

    window = 0

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.classified = feature("ClassificationCondition", classificationSet=instrument.key, diagnosis=DIAGNOSIS)
        self.features = [self.classified]
        self.items = {item.key.partition(":")[2]: item for item in instrument.items}
        self.tests = [instrument.key, *(item.key for item in instrument.items)]
        self.results = Results()

    def prepare(self, session: FollowUp) -> None:
        """Reads what is recorded of the set and its items."""
        self.results = Results.of(session, set(self.tests))

    def result(self, seen: Assessment) -> ScoreResult:
        """The classification as known on one day."""
        found = {key: self.results.up_to(seen.patient, item.key, seen.on) for key, item in self.items.items()}
        items = {key: ever(rows) for key, rows in found.items()}
        lower, upper = bound = self._points(seen, items)
        leaf = Leaf("", self.classified, ">=", Decimal(1), Decimal(1))
        explained = seen.explain(leaf)
        used = [seen.line(row.record) for key, rows in found.items() for row in rows if row.present is items[key]]
        return ScoreResult(
            patient=seen.patient,
            date=seen.on,
            name=self.instrument.score_name or self.instrument.key,
            value=known(bound),
            result={True: "met", False: "not-met", None: "unknown"}[explained.truth],  # type: ignore[arg-type]
            lower=lower,
            upper=upper,
            items=items,
            reason=sentence(f"{explained.reason.removesuffix('.')}; {self._counted(items, bound)}"),
            missing=explained.missing,
            evidence=tuple(dict.fromkeys((*explained.evidence, *used))),
        )

    def _points(self, seen: Assessment, items: Mapping[str, bool | None]) -> Bound:
        """Points by the items; recorded points that fit them stand, those that do not form a range with them."""
        least = points(self.items, (key for key, present in items.items() if present))
        most = points(self.items, (key for key, present in items.items() if present is not False))
        stated = _latest(self.results.up_to(seen.patient, self.instrument.key, seen.on))
        if stated is None:
            return least, most
        return min(stated[0], most), max(stated[1], least)

    def _counted(self, items: Mapping[str, bool | None], bound: Bound) -> str:
        counting = [self.items[key] for key in counted(self.items, (key for key, present in items.items() if present))]
        lower, upper = bound
        total = f"{lower} points" if lower == upper else f"between {lower} and {upper} points"
        named = ", ".join(f"{lower_first(plain(item.label))} {item.weight}" for item in counting)
        return f"{total}{f' ({named})' if named else ''}"


def counted(items: Mapping[str, Item], present: Iterable[str]) -> list[str]:
    """The items that give points: of the items of one domain the highest, where the set weighs them; else every one.

    Source: EULAR/ACR 2019, only the highest weight of each domain; ACR 1997 and SLICC 2012 count criteria.
    """
    scoring = [key for key in present if items[key].kind != ENTRY]
    if not any(item.kind == ENTRY for item in items.values()):
        return scoring
    best: dict[str | None, str] = {}
    for key in scoring:
        domain = items[key].domain
        if domain not in best or (items[best[domain]].weight or 0) < (items[key].weight or 0):
            best[domain] = key
    return [key for key in scoring if key in best.values()]


def points(items: Mapping[str, Item], present: Iterable[str]) -> Decimal:
    """The points of the items that are present."""
    return Decimal(sum(items[key].weight or 0 for key in counted(items, present)))


def ever(results: Iterable[Result]) -> bool | None:
    """Whether an item was ever present: one yes proves it; it is known absent where it was only ever denied."""
    answers = [result.present for result in results]
    return True if True in answers else False if False in answers else None


def _latest(results: Iterable[Result]) -> tuple[Decimal, Decimal] | None:
    """The range of the latest recorded points; None where none are recorded."""
    rows = [(one.first, one.low, one.high) for one in results if one.low is not None and one.high is not None]
    dated = [first for first, _, _ in rows if first is not None]
    last = [(low, high) for first, low, high in rows if first is None or first == max(dated)]
    if not last:
        return None
    return min(low for low, _ in last if low is not None), max(high for _, high in last if high is not None)
