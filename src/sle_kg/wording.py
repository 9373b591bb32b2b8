"""Sentences for leaf conditions: what was found, why it is not known, what would settle it.

They are read by trial coordinators: plain words, dates, the threshold asked for. Nothing here advises anything; a
medicine that stands in the way is described ("the wash-out ends …"), never said to be stopped.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, partial

from sle_kg.advice import SECTIONS, Attempt
from sle_kg.advice.words import details, superseding, useful
from sle_kg.criteria import Feature, Leaf
from sle_kg.evaluate import Bound, compare
from sle_kg.features.asks import Moment
from sle_kg.namespaces import RDFS, SLE
from sle_kg.open_kinds import TESTS
from sle_kg.phrases import lower_first, period
from sle_kg.refusals import Refusal, reason, settling
from sle_kg.verdict import Evidence, when

MOST_NAMED = 3
"""Tests, drugs or dates named in one sentence before "…"."""

_WORDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}
_OPPOSITE = {">=": "less than", ">": "at most", "<=": "more than", "<": "at least"}
_UNITS = {
    "a": " years",
    "d": " days",
    "mg/d": " mg a day",
    "mg/kg/d": " mg per kg a day",
    "[ULN]": " times the upper limit of normal",
    "%": " %",
}
_RATIOS = {
    "timesUpperLimit": " times the upper limit of normal",
    "timesLowerLimit": " times the lower limit of normal",
    "timesBaseline": " times the baseline value",
}
_MOMENTS = {"visit": "this assessment", "baseline": "baseline", "previous": "the previous assessment"}
_ITEM_GROUPS = {"clinical": "clinical items", "majorOrgan": "items of major organs"}

_PRESENCE = frozenset(
    {
        "RoomAirCondition",
        "PositiveTestCondition",
        "QuantifiedCondition",
        "ClassificationCondition",
        "DiagnosisCondition",
        "ProcedureCondition",
        "ImmunizationCondition",
        "ExposureCondition",
        "WashoutCondition",
        "ContraindicationCondition",
        "StatementCondition",
        "FertilityCondition",
        "NoChildbearingPotentialCondition",
        "PregnancyCondition",
        "ConsentCondition",
        "AllergyCondition",
        "BiopsyClassCondition",
        "BiopsyCondition",
        "BiopsyAgeCondition",
        "RenalWorseningCondition",
        "SexCondition",
        "AssessedPositiveCondition",
        "TreatmentChangeCondition",
    }
)
"""Kinds whose feature is 0 or 1."""

_ANSWERS: dict[str, tuple[str, str]] = {
    "PositiveTestCondition": ("positive", "negative"),
    "QuantifiedCondition": ("quantified", "below quantification"),
    "RoomAirCondition": ("without supplemental oxygen", "with supplemental oxygen"),
    "ClassificationCondition": ("met", "not met"),
    "ContraindicationCondition": ("documented", "not documented"),
    "WashoutCondition": ("still within the wash-out", "no dose within the wash-out"),
    "StatementCondition": ("stated", "denied"),
    "PregnancyCondition": ("pregnant", "not pregnant"),
    "FertilityCondition": ("excluded by record", "not excluded by record"),
    "NoChildbearingPotentialCondition": ("documented", "not documented"),
    "RenalWorseningCondition": ("worse since the treatment began", "no worse since the treatment began"),
    "BiopsyAgeCondition": ("yes", "no"),
    "SexCondition": ("yes", "no"),
    "ConsentCondition": ("signed", "not signed"),
    "AssessedPositiveCondition": ("positive", "negative"),
    "TreatmentChangeCondition": ("begun, or its dose changed", "none begun, no dose changed"),
}
_STATEMENTS = {
    "agreesContraception": "the patient's agreement to the contraception that the trial asks for",
    "plansPregnancy": "whether the patient plans a pregnancy",
}


@dataclass(frozen=True, slots=True)
class Words:
    """Wording for one patient, trial and date: screening, or an assessment of a follow-up.

    `label` names a key, class or value set; `is_open` says of a value set that completeness never settles it; `window`
    gives the days that a kind of result serves (None: for ever); `anchors` are the first dates of the trial's events
    that are known; `blocking` names by section the records not understood, which keep it from counting as complete.
    `moments` are those of an assessment (`visit`, `baseline`, `previous`), none at screening. `complete` gives the day
    up to which a section is stated to be complete, `until` the last dates that the events may have, `attempts` by
    feature the details of records that could settle it, `line` what a record says. `refusals` stand against consent.
    """

    label: Callable[[str], str]
    is_open: Callable[[str], bool]
    window: Callable[[str], int | None]
    on: dt.date
    anchors: Mapping[str, dt.date]
    blocking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    moments: Mapping[str, Moment] = field(default_factory=dict)
    complete: Mapping[str, dt.date] = field(default_factory=dict)
    until: Mapping[str, dt.date] = field(default_factory=dict)
    attempts: Mapping[str, Sequence[Attempt]] = field(default_factory=dict)
    line: Callable[[str], Evidence] = lambda record: Evidence(record, "", "", None)
    refusals: Sequence[Refusal] = ()

    def found(self, leaves: Sequence[Leaf], bound: Bound, evidence: Sequence[Evidence]) -> str:
        """What known leaves over one feature rest on: subject, value, date, and how it stands to each threshold."""
        feature = leaves[0].feature
        if feature.kind in _PRESENCE:
            present = bound[0] is not None and bound[0] >= 1
            if feature.kind == "SexCondition":
                return f"Recorded sex: {'' if present else 'not '}{feature.get('sex')}"
            return f"{self._named(feature, evidence)}: {self._presence(feature, present, evidence)}"
        if leaves[0].unit == "{presence}":
            present = bound[0] is not None and bound[0] >= 1
            return f"{self._named(feature, evidence)}: {'present' if present else 'absent'}{_dates(evidence)}"
        value = f"{between(bound, leaves[0])}{_measured_in(leaves[0])}"
        comparisons = " and ".join(_comparison(leaf, bound) for leaf in leaves)
        return f"{self._named(feature, evidence)}: {value}{_dates(evidence)}, which is {comparisons}"

    def unknown(self, leaf: Leaf, bound: Bound, evidence: Sequence[Evidence]) -> str:
        """Why an open leaf is not known."""
        feature = leaf.feature
        subject = self.subject(feature)
        anchor = self._anchor(feature)
        if feature.kind == "SexCondition":
            return "no sex is recorded as male or female"
        if feature.kind == "ConsentCondition" and self.refusals:
            return f"{subject}: {reason(self.refusals)}"
        if anchor and anchor not in self.anchors:
            return f"{subject}: the date of {self._name(anchor)} is not known"
        if anchor and self.anchors[anchor] > self.on:
            return (
                f"{subject}: {self._name(anchor)} is planned for {self.anchors[anchor]}, so absence cannot be known yet"
            )
        if anchor and self._is_vague(anchor):
            return f"{subject}: the date of {self._name(anchor)} is known only to be {self._span(anchor)}"
        if absent := self._absent_moment(feature):
            early = absent == _MOMENTS["baseline"] and self.anchors.get("infusion", self.on) > self.on
            return f"{subject}: {f'{self.on} is before {absent}' if early else f'{absent} is not known'}"
        if bound != (None, None) and feature.kind not in _PRESENCE:
            return f"{subject}: known only to be {between(bound, leaf)}{_measured_in(leaf)}{_dates(evidence)}"
        days = self._window_days(feature)
        if evidence and days is not None and all(_older(item, self.on, days) for item in evidence):
            newest = max(evidence, key=lambda item: item.date or "")
            return (
                f"{subject}: the latest record ({newest.value or newest.what}, {newest.date}) is older than {days} days"
            )
        if evidence:
            return f"{subject}: what is recorded leaves it open{_dates(evidence)}"
        return f"{subject}: nothing that settles it is recorded"

    def missing(self, leaf: Leaf, row_code: str, settles: Callable[[Bound], bool] | None = None) -> tuple[str, ...]:
        """What would settle an open leaf, with dates; `row_code` is the attestation code of its row, empty for none.

        `settles` says of bounds whether they do; as a rule those do that make the leaf known.
        Details of what is recorded come first, then what is not recorded, as far as it could still settle the leaf.
        """
        if leaf.feature.kind == "ConsentCondition" and self.refusals:
            return settling(self.refusals, row_code)
        attempts = useful(self.attempts.get(leaf.feature.slug, ()), settles or partial(_settles, leaf))
        asked = details(attempts, self.line)
        if other := self._unrecorded(leaf, row_code, attempts):
            return (*asked, other)
        attested = f", or an attestation ({row_code})" if row_code and leaf.feature.kind in SECTIONS else ""
        return (*asked[:-1], f"{asked[-1]}{attested}")

    def _unrecorded(self, leaf: Leaf, row_code: str, attempts: Sequence[Attempt]) -> str:
        """What is not recorded and would settle an open leaf; nothing where only what is recorded can (`attempts`)."""
        feature = leaf.feature
        anchor = self._anchor(feature)
        if anchor and anchor not in self.anchors:
            return f"the date of {self._name(anchor)}, planned or actual"
        if anchor and self.anchors[anchor] > self.on:
            return f"a statement for the time up to {self.anchors[anchor]}{f' ({row_code})' if row_code else ''}"
        if anchor and self._is_vague(anchor):
            return f"the day of {self._name(anchor)}, known only to be {self._span(anchor)}"
        if absent := self._absent_moment(feature):
            return "an infusion, or another day of baseline" if absent == _MOMENTS["baseline"] else absent
        days = self._window_days(feature)
        if feature.kind in TESTS and superseding(attempts):
            return ""
        if feature.kind in TESTS and self.moments:
            return f"{self._test(leaf)}{self._asked_at(feature)}"
        if feature.kind in TESTS:
            since = "" if days is None else f" from {self.on - dt.timedelta(days=days)} to {self.on}"
            return f"{self._test(leaf)}{since}"
        if feature.kind == "ConsentCondition":
            return f"the signed consent to this trial, dated {self.on} or earlier"
        if feature.kind == "StatementCondition":
            key = str(feature.get("statement"))
            return _STATEMENTS.get(key, f"a statement: {self.label(key)}")
        if feature.kind == "SexCondition":
            return "the recorded sex"
        if feature.kind == "AgeCondition":
            return "the full date of birth"
        if feature.kind == "DaysSinceDiagnosisCondition":
            diagnosis = lower_first(self._labels(feature, "diagnosis"))
            return f"the date of the diagnosis of {diagnosis} by {self._labels(feature, 'classificationSet')}"
        if feature.kind == "RenalWorseningCondition":
            start = self.on - dt.timedelta(days=self.window("result") or 0)
            return f"proteinuria or eGFR at the start of high-dose treatment and from {start} to {self.on}"
        if feature.kind in ("FertilityCondition", "NoChildbearingPotentialCondition"):
            return "a statement on childbearing potential, menopause or sterilisation"
        return self._history(feature, row_code, bool(attempts))

    def subject(self, feature: Feature) -> str:
        """What a feature is about, as the start of a sentence."""
        match feature.kind:
            case "AgeCondition":
                return f"Age at {self._name(str(feature.get('anchor')))}"
            case "CreatinineClearanceCondition":
                return "Creatinine clearance (Cockcroft-Gault)"
            case "RoomAirCondition":
                return "Oxygen saturation"
            case "HighestScoreCondition":
                return f"{self._labels(feature, 'instrument')}, highest{self._when(feature)}"
            case "ScoreCondition":
                return self._labels(feature, "instrument")
            case "MeasurementCondition" | "PositiveTestCondition" | "QuantifiedCondition":
                return self._labels(feature, "test")
            case "ClassificationCondition":
                return f"{self._labels(feature, 'diagnosis')} by {self._labels(feature, 'classificationSet')}"
            case "DaysSinceDiagnosisCondition":
                anchor = self._name(str(feature.get("anchor")))
                return f"Time from the diagnosis by {self._labels(feature, 'classificationSet')} to {anchor}"
            case "DailyDoseCondition":
                return f"{self._labels(feature, 'valueSet')}, daily dose{self._now()}"
            case "HighestDoseCondition":
                return f"{self._labels(feature, 'valueSet')}, highest daily dose{self._when(feature)}"
            case "DoseDurationCondition":
                return (
                    f"{self._labels(feature, 'valueSet')}, longest time at {self._dose(feature)}{self._when(feature)}"
                )
            case "TreatmentDurationCondition":
                treated = f"{self._labels(feature, 'valueSet')}, duration of treatment{self._when(feature)}"
                gap = period(str(feature.get("gap")))
                run = f"{treated} without a gap of more than {gap}"
                runs = {"longestRun": run, "runToScreening": f"{run}, up to screening"}
                return runs.get(str(feature.get("measure")), treated)
            case "CumulativeDoseCondition":
                return f"{self._labels(feature, 'valueSet')}, {feature.get('route')} dose in a lifetime"
            case "DrugCountCondition":
                return f"{self._labels(feature, 'valueSet')}, number of different drugs taken"
            case "DiagnosisCountCondition":
                return f"{self._labels(feature, 'valueSet')}, number of episodes"
            case "WashoutCondition":
                return f"{self._labels(feature, 'valueSet')} ({feature.get('halfLives')} half-lives)"
            case "ContraindicationCondition":
                return f"Contraindication to {lower_first(self._labels(feature, 'valueSet'))}"
            case "AllergyCondition":
                return self._allergy(feature)
            case "StatementCondition":
                return self._labels(feature, "statement")
            case "SexCondition":
                return f"Recorded sex {feature.get('sex')}"
            case "FertilityCondition":
                return "Childbearing or child-fathering potential"
            case "NoChildbearingPotentialCondition":
                return "Absence of childbearing potential"
            case "PregnancyCondition":
                return "Pregnancy"
            case "ConsentCondition":
                return "Consent to this trial"
            case "BiopsyClassCondition":
                return f"Kidney biopsy of class {' or '.join(_texts(feature, 'biopsyClass'))}"
            case "BiopsyCondition":
                return "Biopsy-proven lupus nephritis"
            case "BiopsyIndexCondition":
                return f"{self._labels(feature, 'index')} of the latest kidney biopsy"
            case "BiopsyAgeCondition":
                lookback = feature.get("lookback")
                return "Latest kidney biopsy" + (f" within {period(str(lookback))}" if lookback else "")
            case "RenalWorseningCondition":
                return "Proteinuria or eGFR"
            case "DonatedVolumeCondition":
                return f"Blood donated{self._when(feature)}"
            case "AssessedScoreCondition" | "AssessedValueCondition" | "AssessedPositiveCondition":
                return self._assessed(feature)
            case "NewItemsCondition":
                return f"Number of new items of the {self._instrument(feature)}{self._at(feature)}"
            case "NewGradesCondition":
                systems = f"Number of systems newly at grade {feature.get('grade')}"
                return f"{systems} of the {self._instrument(feature)}{self._at(feature)}"
            case "HighestValueCondition":
                return f"{self._labels(feature, 'test')}, highest since {self._name(str(feature.get('anchor')))}"
            case "TreatmentChangeCondition":
                return f"{self._labels(feature, 'valueSet')}{self._at(feature)}"
        severity = (
            f"{feature.get('severity')} or worse" if feature.get("severity") == "moderate" else feature.get("severity")
        )
        return f"{self._labels(feature, 'valueSet')}{f', {severity}' if severity else ''}{self._when(feature)}"

    def _named(self, feature: Feature, evidence: Sequence[Evidence]) -> str:
        """The subject; of several tests that would serve, those that were done."""
        done = list(dict.fromkeys(item.what for item in evidence if item.what))
        plain = feature.get("test") and feature.kind != "HighestValueCondition" and not self._at(feature)
        return " and ".join(done[:MOST_NAMED]) if plain and done else self.subject(feature)

    def _assessed(self, feature: Feature) -> str:
        """A score, a part of it, or a test, at the moment asked for or as change since another one."""
        group = feature.get("itemGroup")
        part = f", {_ITEM_GROUPS.get(str(group), f'{group} items')} only" if group else ""
        name = self._labels(feature, "test" if feature.get("test") else "instrument")
        if other := feature.get("alsoAccepts"):
            name += f" or {self.label(str(other))}"
        return f"{name}{part}{', change' if feature.get('since') else ''}{self._at(feature)}"

    def _instrument(self, feature: Feature) -> str:
        """The instrument whose items or systems are looked at, named by itself or by its total."""
        return self._labels(feature, "instrument").removesuffix(" total score").removesuffix(" total")

    def _at(self, feature: Feature) -> str:
        """` since baseline`, ` at the previous assessment`; nothing for the assessment itself."""
        if since := feature.get("since"):
            return f" since {_MOMENTS[str(since)]}"
        at = str(feature.get("at", "visit"))
        return "" if at == "visit" else f" at {_MOMENTS[at]}"

    def _absent_moment(self, feature: Feature) -> str | None:
        """The moment that a feature looks at and that this assessment has not, in words."""
        needed = _moments_of(feature) if self.moments else ()
        return next((_MOMENTS[name] for name in needed if name not in self.moments), None)

    def _asked_at(self, feature: Feature) -> str:
        """When a test that is missing would have to have been done."""
        if feature.kind == "HighestValueCondition":
            return f" up to {self.on}"
        return " and".join(self._moment(name) for name in _moments_of(feature))

    def _moment(self, name: str) -> str:
        moment = self.moments[name]
        if name == "baseline":
            return f" at baseline, {moment.last} or before"
        if name == "previous":
            return f" at an assessment before {self.on}"
        return f" on {moment.last}" if moment.first == moment.last else f" from {moment.first} to {moment.last}"

    def _now(self) -> str:
        return f" on {self.on}" if self.moments else " at screening"

    def _presence(self, feature: Feature, present: bool, evidence: Sequence[Evidence]) -> str:
        yes, no = _ANSWERS.get(feature.kind, ("recorded", "not recorded, and the record is complete for it"))
        if feature.kind == "ExposureCondition":
            yes, no = "taken", "not taken, and the record is complete for it"
        if not present:
            return f"{no}{_dates(evidence) if feature.kind in TESTS else ''}"
        named = [item for item in evidence if item.value or item.what]
        if feature.kind in TESTS or not named:
            return f"{yes}{_dates(evidence)}"
        first = named[0]
        return f"{yes} ({', '.join(filter(None, (first.what, first.when)))})"

    def _test(self, leaf: Leaf) -> str:
        feature = leaf.feature
        if feature.kind == "RoomAirCondition":
            return "whether supplemental oxygen was given on the day of an oxygen saturation"
        if feature.kind == "CreatinineClearanceCondition":
            return "serum creatinine with body weight, age and sex, or a creatinine clearance,"
        if feature.kind == "PregnancyCondition":
            return "a pregnancy test"
        if feature.kind == "HighestScoreCondition":
            return f"{self.subject(feature)}, and a value"
        if feature.kind in ("NewItemsCondition", "NewGradesCondition"):
            what = "every item" if feature.kind == "NewItemsCondition" else "the grade of every system"
            return f"{what} of the {self._instrument(feature)}"
        side = {"timesUpperLimit": "upper", "timesLowerLimit": "lower"}.get(str(feature.get("quantity")))
        limit = f" with its {side} limit of normal" if side else ""
        method = " by echocardiography" if feature.get("method") == "echocardiography" else ""
        return f"{self.subject(feature)}{method}{limit}"

    def _history(self, feature: Feature, row_code: str, doubtful: bool) -> str:
        """A record, a statement of completeness unless it is there, or an attestation."""
        subject = lower_first(self.subject(feature))
        section = SECTIONS.get(feature.kind)
        details = " with doses" if "Dose" in feature.kind else " with dates" if "Duration" in feature.kind else ""
        weight = " and body weight" if feature.get("perKilogram") is True else ""
        record = f"a record of {subject}{details}{weight}"
        if feature.get("sinceFirstDose"):
            medicine = lower_first(self._labels(feature, "valueSet"))
            record = f"a record of the first and of a later dose of {medicine}{self._when(feature)}"
        attested = f", or an attestation ({row_code})" if row_code else ""
        if section is None and feature.kind != "BiopsyIndexCondition":
            return record
        if section is None or any(self.is_open(name) for name in _texts(feature, "valueSet")):
            return f"{record}{attested}"
        blocked = self._blocked(section)
        if self._is_complete(section, feature):
            if blocked:
                return f"{blocked}{attested}"
            return "" if doubtful else f"{record}{attested}"
        complete = f"a statement that {section} are complete up to {self.on}"
        known = f"{record}, {complete}{attested}" if row_code else f"{record}, or {complete}"
        return f"{known}; besides, {blocked}" if blocked else known

    def _is_complete(self, section: str, feature: Feature) -> bool:
        """Whether a section is stated to be complete up to the end of what a feature looks at."""
        anchor = self._anchor(feature)
        end = self.on if anchor is None else self.until.get(anchor, self.anchors[anchor])
        return section in self.complete and self.complete[section] >= end

    def _blocked(self, section: str) -> str:
        """The records not understood that keep a section from counting as complete; nothing where there are none."""
        names = self.blocking.get(section, ())
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        return f"what {', '.join(names[:MOST_NAMED])}{more} is (map the code with --code-map)" if names else ""

    def _allergy(self, feature: Feature) -> str:
        match feature.get("which"):
            case "substance":
                return f"Allergy to {lower_first(self._labels(feature, 'valueSet'))}"
            case "severe":
                return "Severe allergy"
        return "Any allergy"

    def _dose(self, feature: Feature) -> str:
        unit = "mg per kg" if feature.get("perKilogram") is True else "mg"
        equivalent = f" of {feature.get('equivalence')} equivalent" if feature.get("equivalence") != "none" else ""
        return f"{feature.get('dailyDose')} {unit} a day or more{equivalent}"

    def _when(self, feature: Feature) -> str:
        if lookback := feature.get("lookback"):
            anchor = str(feature.get("anchor", "screening"))
            start = str(self.on) if anchor == "screening" and self.moments else self._name(anchor)
            return f" in the {period(str(lookback))} before {start}"
        match feature.get("when"):
            case "current":
                return self._now() if self.moments else " at present"
            case "ongoing":
                return self._now()
            case "ever":
                return "" if self._labels(feature, "valueSet").endswith(" ever") else " ever"
        return ""

    def _labels(self, feature: Feature, name: str) -> str:
        texts = _texts(feature, name)
        labels = list(dict.fromkeys(self.label(text) for text in texts))
        labels = [text for text in labels if not any(text.startswith(f"{other} ") for other in labels)][:MOST_NAMED]
        return " or ".join(labels) + (" …" if len(texts) > MOST_NAMED else "")

    def _name(self, anchor: str) -> str:
        return self.label(anchor).lower()

    def _anchor(self, feature: Feature) -> str | None:
        """The event other than screening that the feature is counted from."""
        anchor = feature.get("anchor")
        return str(anchor) if anchor not in (None, "screening") else None

    def _is_vague(self, anchor: str) -> bool:
        """Whether an event may have been, or may be still to come."""
        return self.anchors[anchor] <= self.on < self.until.get(anchor, self.on)

    def _span(self, anchor: str) -> str:
        """The dates that an event may have."""
        return f"from {self.anchors[anchor]} to {self.until[anchor]}"

    def _window_days(self, feature: Feature) -> int | None:
        if feature.kind in ("RoomAirCondition", "HighestScoreCondition"):
            return self.window("result")
        kind = feature.get("validFor")
        return self.window(str(kind)) if kind is not None else None


def _comparison(leaf: Leaf, bound: Bound) -> str:
    """How a value stands to the threshold: `at least 7`."""
    met = compare(leaf, bound)
    number = leaf.met_bound if met else leaf.unmet_bound
    return f"{(_WORDS if met else _OPPOSITE)[leaf.operator]} {shown(number)}{_measured_in(leaf)}"


def _measured_in(leaf: Leaf) -> str:
    """The unit of a leaf's number, or the value that it is a multiple of."""
    return _RATIOS.get(str(leaf.feature.get("quantity")), unit_words(leaf.unit))


def _moments_of(feature: Feature) -> tuple[str, ...]:
    """The moments that a feature of a follow-up looks at."""
    if not feature.kind.startswith(("Assessed", "New", "TreatmentChange")):
        return ()
    names = [str(feature.get("at", "visit")), *filter(None, (feature.get("since"),))]
    if feature.get("quantity") == "timesBaseline":
        names.append("baseline")
    return tuple(dict.fromkeys(map(str, names)))


@cache
def ontology_labels() -> Mapping[str, str]:
    """The label of every term of the ontology by its local name: concepts, value sets, classes, anchors, statements."""
    import pyoxigraph as ox

    from sle_kg.ontology import ontology_store

    found = {}
    for quad in ontology_store().quads_for_pattern(None, ox.NamedNode(RDFS + "label"), None):
        if isinstance(quad.subject, ox.NamedNode) and quad.subject.value.startswith(SLE):
            found[quad.subject.value.removeprefix(SLE)] = str(getattr(quad.object, "value", ""))
    return found


def ontology_label(name: str) -> str:
    """What to call a term of the ontology in a sentence; its name where it has no label.

    An item or domain of an instrument is named by its key (`icans:seizure`) or by its local name.
    """
    return ontology_labels().get(name.replace(":", "-"), name)


def between(bound: Bound, leaf: Leaf) -> str:
    """What is known of a number: a value, a range, or one side of it."""
    low, high = (None if number is None else shown(number, leaf) for number in bound)
    if low is not None and high is not None:
        return low if low == high else f"between {low} and {high}"
    return f"at least {low}" if low is not None else f"at most {high}"


def shown(number: Decimal, leaf: Leaf | None = None) -> str:
    """A number with at most three decimals, but never rounded onto the threshold that it is compared with."""
    rounded = number.quantize(Decimal("0.001")) if abs(number) < 10**12 else number
    if leaf is not None and rounded in (leaf.met_bound, leaf.unmet_bound):
        rounded = number
    text = format(rounded, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _settles(leaf: Leaf, bound: Bound) -> bool:
    """Whether a leaf is known with this bound."""
    return compare(leaf, bound) is not None


def unit_words(unit: str | None) -> str:
    """The unit as written after a number; annotations such as `{score}` are none."""
    if unit is None or unit.startswith("{"):
        return ""
    return _UNITS.get(unit, f" {unit}")


def _texts(feature: Feature, name: str) -> tuple[str, ...]:
    value = feature.get(name)
    return value if isinstance(value, tuple) else () if value is None else (str(value),)


def _dates(evidence: Sequence[Evidence]) -> str:
    """The dates of the records, birth dates apart."""
    dates = when(item for item in evidence if not item.record.startswith("Patient/"))
    return f" ({dates})" if dates else ""


def _older(item: Evidence, on: dt.date, days: int) -> bool:
    """Whether a record is certainly older than so many days; a partial date counts by its text."""
    return (
        bool(item.date) and str(item.date)[:10] < (on - dt.timedelta(days=days)).isoformat()[: len(str(item.date)[:10])]
    )
