"""A naive calculator of features: loops over records and days in plain Python, written from the rules of reading.

It shares nothing with the SQL of the feature builder but the terminology's answers (which concept belongs to which
value set, what a milligram of a drug stands for). A record with vague dates is a set of *worlds*: its possible first
and last days. What holds in every world is certain, what holds in some world is possible.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from features.naive_diagnoses import Diagnoses
from features.naive_facts import (
    BEGIN,
    SERVES,
    UNKNOWN,
    Bound,
    Row,
    World,
    agreed,
    classification_rows,
    duration_before,
    highest,
    lowest,
    number,
    ordinal,
    overlaps,
    snake_case,
)
from features.naive_medicines import Medicines
from features.naive_results import Results
from sle_kg.criteria import Feature

BIOPSIES = {"biopsyIIIorIV": {"III", "IV"}, "biopsyIIorV": {"II", "V"}}
"""Items of EULAR/ACR 2019 that a kidney biopsy of these classes is (classification.csv)."""


class Naive(Results, Diagnoses, Medicines):
    """One patient's facts seen by one ask: `bounds` gives those of any feature; lupus and pregnancy below."""

    def bounds(self, feature: Feature) -> Bound:
        """The bounds of a feature; both unknown where nothing is known."""
        calculate: Callable[[Feature], Bound] = getattr(self, "_" + snake_case(feature.kind.removesuffix("Condition")))
        return calculate(feature)

    # ---- worsening of nephritis -------------------------------------------------------------------------------------

    def _renal_worsening(self, feature: Feature) -> Bound:
        """Proteinuria rose or eGFR fell since the start of the latest high-dose run of 14 days (A0-12)."""
        windows = self.windows(feature)
        assert windows is not None
        runs = [
            begin
            for begin, end in self.high_dose_runs(feature, True)
            if overlaps((begin, end), *windows[0]) and end - begin + 1 >= 14
        ]
        if not runs:
            return UNKNOWN
        proteinuria = self.changes(("upcr", "urineProtein24h"), max(runs), 1)
        filtration = self.changes(("egfrCkdEpi2021", "egfrCkdEpi", "egfrMdrd"), max(runs), -1)
        worse = True in proteinuria + filtration
        steady = all(changes and all(change is False for change in changes) for changes in (proteinuria, filtration))
        return Fraction(1) if worse else None, Fraction(0) if steady and not worse else None

    def changes(self, tests: Sequence[str], start: int, direction: int) -> list[bool | None]:
        """For each test with a value at the start and one now: worse, not worse, or not known."""
        found: list[bool | None] = []
        for test in tests:
            dated = [
                (row["date_from"].toordinal(), row["date_to"].toordinal(), row)
                for row in self.seen("measurement", "date_from")
                if row["test"] == test and row["date_from"] is not None
            ]
            before = [(day, row) for day, last, row in dated if last <= start and day >= start - SERVES["result"]]
            current = self.on - SERVES["result"] - self.shift
            since = [(day, row) for day, _, row in dated if day > start and day >= current]
            if not before or not since:
                continue
            first = [row for day, row in before if day == max(day for day, _ in before)]
            now = [row for day, row in since if day == max(day for day, _ in since)]
            less, more = (first, now) if direction > 0 else (now, first)
            top, bottom = highest(number(r["high"]) for r in less), lowest(number(r["low"]) for r in more)
            rest, limit = lowest(number(r["low"]) for r in less), highest(number(r["high"]) for r in more)
            if bottom is not None and top is not None and bottom > top:
                found.append(True)
            else:
                found.append(False if limit is not None and rest is not None and limit <= rest else None)
        return found

    # ---- pregnancy, biopsy, classification --------------------------------------------------------------------------

    def _pregnancy(self, feature: Feature) -> Bound:
        if self.facts["patient"][0]["sex"] is None:
            return UNKNOWN
        about = Feature("DiagnosisCondition", (("valueSet", ("pregnancyCondition",)),))
        rows = self.latest(["hcgSerumQual", "hcgSerumQuant", "hcgUrineQual"])
        answers = [self.answer(row) for row in rows]
        tested = agreed(answers) if self.fresh(rows, "pregnancyTest") else UNKNOWN
        recent = any(
            answer is not False and self.days_of(row)[1] >= self.on - 300
            for row, answer in zip(rows, answers, strict=True)
        )
        present = possible = False
        for row, status in self.diagnoses(about):
            abated_later = row["abated_from"] is not None and row["abated_from"].toordinal() > self.base
            active = True if abated_later else row["ongoing"]
            present = present or (row["status"] == "confirmed" and status == "in" and active is True)
            may_last = any(end >= self.base for _, end in self.condition_worlds(row))
            possible = possible or (row["status"] != "refuted" and active is not False and may_last)
        negative, positive = tested[1] == 0, tested[0] == 1
        lower = Fraction(1) if not negative and (positive or present) else None
        no_sign = self.complete("conditions", self.on) and not possible and not recent
        return lower, Fraction(0) if not positive and not present and (negative or no_sign) else None

    def biopsies(self) -> list[Row]:
        names = ("isnRpsClass", "nihActivityIndex", "nihChronicityIndex")
        return [row for row in self.seen("measurement", "date_from") if row["test"] in names]

    def _biopsy_class(self, feature: Feature) -> Bound:
        classes = feature.get("biopsyClass")
        assert isinstance(classes, tuple)
        certain = possible = False
        for row in self.biopsies():
            if row["test"] == "isnRpsClass":
                hit = row["text"] is not None and bool(set(row["text"].split("+")) & set(classes))
                certain, possible = certain or hit, possible or hit or row["text"] is None
        for row in self.seen("condition", "onset_from", "recorded_from"):
            if row["concept"] in [f"lupusNephritisClass{name}" for name in classes]:
                certain = certain or row["status"] == "confirmed"
                possible = possible or row["status"] != "refuted"
        absent = self.complete("procedures", self.on) and not possible
        return Fraction(1) if certain else None, Fraction(0) if absent else None

    def _biopsy(self, feature: Feature) -> Bound:
        if self.biopsies():
            return Fraction(1), None
        return None, Fraction(0) if self.complete("procedures", self.on) else None

    def latest_biopsy(self) -> list[tuple[Row, World]]:
        """A biopsy is no test that is repeated: it keeps its date."""
        rows = [
            (row, (ordinal(row["date_from"], BEGIN), min(ordinal(row["date_to"], self.base), self.base)))
            for row in self.biopsies()
        ]
        return [(row, days) for row, days in rows if all(days[1] >= other[0] for _, other in rows)]

    def _biopsy_index(self, feature: Feature) -> Bound:
        rows = [row for row, _ in self.latest_biopsy() if row["test"] == feature.get("index")]
        return lowest(number(row["low"]) for row in rows), highest(number(row["high"]) for row in rows)

    def _biopsy_age(self, feature: Feature) -> Bound:
        start = duration_before(self.on, str(feature.get("lookback")))
        days = [days for _, days in self.latest_biopsy()]
        lower = Fraction(1) if any(first >= start for first, _ in days) else None
        absent = self.complete("procedures", self.on) and all(last < start for _, last in days)
        return lower, Fraction(0) if absent else None

    def _classification(self, feature: Feature) -> Bound:
        name = str(feature.get("classificationSet"))
        about = Feature("DiagnosisCondition", (("valueSet", (str(feature.get("diagnosis")),)),))
        if self.refuted(self.diagnoses(about), about):
            return None, Fraction(0)
        rows = self.latest([name])
        answers = [self.stated_answer(name, row) for row in rows]
        if answers and all(answer is True for answer in answers):
            return Fraction(1), None
        if answers and all(answer is False for answer in answers):
            return None, Fraction(0)
        if not all(row["positive"] is None and row["low"] is not None for row in rows):
            return UNKNOWN
        met, unmet = self.by_items(name)
        return Fraction(1) if met else None, Fraction(0) if unmet else None

    def ana_ever(self) -> bool:
        tests = ("ana", "anaTiter", "eularAcr2019:ana")
        return any(r["test"] in tests and self.answer(r) is True for r in self.seen("measurement", "date_from"))

    def clinical_item_known(self) -> bool:
        clinical = {f"eularAcr2019:{i['key']}" for i in classification_rows("eularAcr2019") if i["kind"] == "clinical"}
        seen = self.seen("measurement", "date_from")
        if any(r["test"] in clinical and (r["positive"] or (r["low"] or 0) > 0) for r in seen):
            return True
        said = {r["test"] for r in seen if r["positive"] is not None or r["low"] is not None}
        return any(self.biopsied(classes) for key, classes in BIOPSIES.items() if f"eularAcr2019:{key}" not in said)

    def biopsied(self, classes: set[str]) -> bool:
        """Whether a kidney biopsy of one of the classes, alone or mixed, was ever recorded."""
        seen = self.seen("measurement", "date_from")
        return any(r["test"] == "isnRpsClass" and classes & set((r["text"] or "").split("+")) for r in seen)

    def stated_answer(self, name: str, row: Row) -> bool | None:
        """What a recorded classification or its points decide (rule 10)."""
        if row["positive"] is not None:
            return bool(row["positive"])
        low, high = row["low"], row["high"]
        if name == "acr1997":
            return True if low is not None and low >= 4 else False if high is not None and high < 4 else None
        if name == "eularAcr2019":
            certain = low is not None and (low >= 13 or (low >= 10 and self.clinical_item_known()))
            if certain and self.ana_ever():
                return True
            return False if high is not None and high < 10 else None
        return None

    def by_items(self, name: str) -> tuple[bool, bool]:
        """Whether the items prove the classification, and whether they exclude it (classification.md, rules)."""
        present: dict[str, bool | None] = {}
        table = classification_rows(name)
        seen = list(self.seen("measurement", "date_from"))
        for item in table:
            said = [
                row["positive"] if row["positive"] is not None else row["low"] > 0
                for row in seen
                if row["test"] == f"{name}:{item['key']}" and (row["positive"] is not None or row["low"] is not None)
            ]
            present[item["key"]] = True if any(said) else False if said else None
        if name == "eularAcr2019":
            for key, classes in BIOPSIES.items():
                present[key] = self.biopsied(classes) or None if present[key] is None else present[key]
            return self.by_domains(table, present)
        yes = [item for item in table if present[item["key"]]]
        may = [item for item in table if present[item["key"]] is not False]
        if name == "acr1997":
            return len(yes) >= 4, len(may) < 4
        kinds = lambda some: {item["kind"] for item in some} >= {"clinical", "immunologic"}  # noqa: E731
        nephritis = any(row["test"] == "isnRpsClass" and row["text"] is not None for row in seen)
        antibody = self.ana_ever() or any(present[key] for key in ("ana", "antiDsDNA"))
        no_antibody = not self.ana_ever() and not any(present[key] is not False for key in ("ana", "antiDsDNA"))
        met = (len(yes) >= 4 and kinds(yes)) or (nephritis and antibody)
        no_nephritis = present["renal"] is False and not nephritis
        return met, (len(may) < 4 or not kinds(may)) and (no_antibody or no_nephritis)

    def by_domains(self, table: Sequence[Row], present: Mapping[str, bool | None]) -> tuple[bool, bool]:
        """EULAR/ACR 2019: entry criterion, highest item of each domain, ten points with a clinical item."""
        entry = True if self.ana_ever() else present["ana"]
        items = [item for item in table if item["kind"] != "entry"]

        def points(counts: Callable[[bool | None], bool]) -> tuple[int, bool]:
            chosen = [item for item in items if counts(present[item["key"]])]
            domains: dict[str, int] = defaultdict(int)
            for item in chosen:
                domains[item["domain"]] = max(domains[item["domain"]], int(item["weight"]))
            return sum(domains.values()), any(item["kind"] == "clinical" for item in chosen)

        least, clinical = points(lambda value: value is True)
        most, maybe_clinical = points(lambda value: value is not False)
        met = entry is True and least >= 10 and clinical
        return met, entry is False or most < 10 or not maybe_clinical

    def fourth_criterion(self) -> int | None:
        """The day by which four criteria of ACR 1997 were recorded."""
        first: dict[str, int] = {}
        for row in self.seen("measurement", "date_from"):
            if row["test"].startswith("acr1997:") and row["positive"] and row["date_from"] is not None:
                day = min(ordinal(row["date_to"], self.base), self.base)
                first[row["test"]] = min(day, first.get(row["test"], day))
        return sorted(first.values())[3] if len(first) >= 4 else None

    def _days_since_diagnosis(self, feature: Feature) -> Bound:
        name, anchor = str(feature.get("classificationSet")), self.anchor(feature)
        if anchor is None:
            return UNKNOWN
        needed = {"acr1997": 4, "slicc2012": 4, "eularAcr2019": 10}[name]
        about = Feature("DiagnosisCondition", (("valueSet", (str(feature.get("diagnosis")),)),))
        own = [
            row
            for row in self.seen("measurement", "date_from")
            if row["test"] == name
            and row["date_from"] is not None
            and (row["positive"] or (row["positive"] is None and row["low"] is not None and row["low"] >= needed))
        ]
        dated = [row for row, status in self.diagnoses(about) if row["status"] == "confirmed" and status == "in"]
        if own:
            earliest = min(row["date_from"] for row in own).toordinal()
            latest = min(min(row["date_to"] for row in own).toordinal(), self.base)
            return Fraction(anchor[0] - latest), Fraction(anchor[1] - earliest)
        dated = [row for row in dated if ordinal(row["recorded_from"], BEGIN) <= self.base]
        broad = [row for row in dated if (row["concept"], str(feature.get("diagnosis"))) in self.known.refutes]
        recorded = [row for row in dated if row["recorded_from"] is not None]
        begun = [row["recorded_from"].toordinal() for row in recorded]
        latest_day = min((min(row["recorded_to"].toordinal(), self.base) for row in recorded), default=None)
        if latest_day is None and name == "acr1997":
            latest_day = self.fourth_criterion()
        least = None if latest_day is None else Fraction(anchor[0] - latest_day)
        if any(row["recorded_from"] is not None for row in broad):
            return least, Fraction(anchor[1] - min(begun))
        onsets = [row["onset_from"].toordinal() for row in broad if row["onset_from"] is not None]
        return least, Fraction(anchor[1] - min(onsets + begun)) if onsets else None
