"""The value of one result: bounds in the test's canonical unit, or a coded answer (rules 5 and 9 of reading)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from sle_kg.namespaces import LOINC, SNOMED
from sle_kg.ontology import AnswerLevel, LaboratoryTest, answer_levels
from sle_kg.patients.raw import RawRecord
from sle_kg.patients.words import plain, unit_words
from sle_kg.terminology import Terminology
from sle_kg.units import CREATININE_MOLAR_MASS, PLACES, UnitError, convert, is_bare

_INTERPRETATIONS = {"POS": True, "DET": True, "RR": True, "NEG": False, "ND": False, "NR": False}
"""HL7 v3 ObservationInterpretation: positive, detected, reactive, negative, not detected, non-reactive."""
_UNDECIDED = frozenset({"IND", "E", "WR"})
"""Indeterminate, equivocal, weakly reactive."""
_ANSWERS = {(LOINC, "LA6576-8"): True, (LOINC, "LA6577-6"): False}
"""Coded results beside those of codes_extra.csv: positive, negative. RECALLED high."""
_UNDECIDED_ANSWERS = frozenset({(SNOMED, "419984006"), (SNOMED, "42425007"), (SNOMED, "82334004")})
"""Coded results: inconclusive, equivocal, indeterminate. RECALLED high."""
_OFF_SCALE = ("<", ">")
"""Below or above what the method measures: the value has that comparator, or is not the value."""
_NEGATIVE_WORDS = re.compile(
    r"\b(?:neg(?:ative)?|absent|non[\s-]?reactive|not (?:reactive|detected|detectable|present)|undetect(?:ed|able)"
    r"|no(?: (?!not\b)\w+){1,3} (?:detected|found|seen)"
    r"|(?:none|nil|nothing)(?: (?!not\b)\w+){0,3} (?:detected|detectable|found|seen|present|reactive|positive)"
    r"|(?:below|under|less than)(?: (?:the|lower|lowest|level|limit|of))* (?:detectable|reactive|positive))\b",
    re.IGNORECASE,
)
_POSITIVE_WORDS = re.compile(
    r"\b(?:pos(?:itive)?(?!\W+(?:control|ctrl))|reactive|detected|detectable|present)\b", re.IGNORECASE
)
_ANSWERING_WORD = r"(?:pos(?:itive)?|neg(?:ative)?|(?:non)?-?reactive|detected|(?:un)?detectable|present|absent)\b"
_TURNED = re.compile(
    rf"\b(?:never|cannot|without|neither|nor|absence of|lack of)(?: \w+){{0,3}} {_ANSWERING_WORD}", re.IGNORECASE
)
"""Words for an answer that those before them turn, `without detectable antibodies`: nothing is understood of them."""
_KEY = re.compile(rf"\b{_ANSWERING_WORD}[\s:(]*(?:[<>=≤≥]|(?:above|over|from)\b)", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w-])\d")
"""A value and behind it what it would have to be for an answer: `0.1 (reactive >1.0)`."""
_UNDECIDED_WORDS = re.compile(
    r"\b(?:indeterminate|inconclusive|equivocal|borderline|invalid|weakly|gr[ea]y[\s-]zone)\b", re.IGNORECASE
)
_TURNING_WORDS = re.compile(r"\b(?:not|non|no|false|if|when)\b", re.IGNORECASE)
"""Words that turn those for an answer: `false positive`, `not negative`, `reactive if above 1.0`."""
_ECHOCARDIOGRAPHY_SNOMED = "40701008"
_ECHOCARDIOGRAPHY_TESTS = frozenset({"lvef2d", "lvefUs"})
"""Tests whose LOINC code itself says echocardiography (labs_and_findings.csv)."""
_VALUES = ("measuredValue", "statedValue", "valueCoding", "textValue")
_COMPARATORS = ("<", "<=", ">=", ">")
_NOT_PLAIN = re.compile(r" (?:no|not|non(?! rebreather| invasive)|without|never|off|\d+) ")
"""A word in a text on oxygen that turns or refines the others: `no mask`, `nasal cannula 8 L/min`."""
_POUNDS = re.compile(r"^lbs?$", re.IGNORECASE)
_INTERNATIONAL_UNITS = re.compile(r"^([kmuµμ]?)I\.?U\.?(/[dm]?[lL])$")
"""Units as many laboratories write them, and UCUM does not."""
_FOR = {"female": ", for women", "male": ", for men"}
"""Words for the sex that limits of normal are for."""
_TITER = re.compile(r"1\s*:\s*(\d{1,7})")
_NEGATED = re.compile(r"\b(?:no|not|non|without)\b", re.IGNORECASE)
_SCALE = re.compile(r"\{\D*(?:\b0 *(?:-|–|to|\.\.)|/) *(\d+)\D*\}")
"""An annotation that names the greatest value of a scale: `{0-10}`, `{points/10}`."""
_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V", "6": "VI"}
_CLASS = r"(?:VI|IV|V|III|II|I|[1-6])(?:-[SG])?"
_CLASSES = re.compile(rf"{_CLASS}(?:\s*(?:\+|&|,|AND)\s*{_CLASS})*")


_CLASS_DETAILS = frozenset(
    """A C S G ACTIVE INACTIVE CHRONIC DIFFUSE FOCAL SEGMENTAL GLOBAL PROLIFERATIVE MEMBRANOUS MESANGIAL MINIMAL
    ADVANCED SCLEROSING SCLEROTIC LESION LESIONS LUPUS NEPHRITIS GLOMERULONEPHRITIS ISN RPS 2003 2018 AND""".split()  # noqa: SIM905
)
"""Words in brackets that say more of a class, and do not take it back."""


class UnreadableError(ValueError):
    """A result that matters and cannot be read; the message says why."""


class MeasurementReader:
    """Reads the values of measurements."""

    def __init__(self, terminology: Terminology) -> None:
        self._terminology = terminology
        self._levels = answer_levels()

    def read(self, raw: RawRecord, test: LaboratoryTest) -> dict[str, Any] | None:
        """Columns of the measurement table for one test, and `shown`, the value in words.

        None where the record says that there is no value. Raises UnreadableError.
        """
        if test.key == "isnRpsClass":
            return _biopsy_class(raw)
        if test.key.startswith("bilag:"):
            return _bilag_grade(raw)
        positive = self._answer(raw, test)
        value, unit = self._number(raw, test)
        levels = self._levels.get(test.key, ())
        if (value is not None or positive is not None) and not raw.values.keys().isdisjoint(_VALUES):
            _check_beside(raw, value, unit, positive)
        if value is None:
            if positive is not None:
                words = "yes" if positive else "no"
                return {
                    "positive": positive,
                    "shown": words if raw.flag("statedValue") is not None else _coded(positive),
                    **(_presence(positive) if test.presence else {}),
                }
            if levels and raw.text("textValue"):
                return _level_in_words(raw.text("textValue") or "", levels)
            if raw.text("dataAbsentReason"):
                return None
            raise UnreadableError(_no_value(raw))
        if test.qualitative and positive is not None:
            return {"positive": positive, "shown": _coded(positive)}
        comparator = raw.text("comparator")
        if comparator not in (*_COMPARATORS, None):
            raise UnreadableError(f"{comparator!r} is no comparator")
        if levels and not is_bare(unit):
            return _level_of_flow(raw, value, unit, levels)
        scale = _SCALE.fullmatch(unit or "")
        if scale and test.maximum is not None and Decimal(scale[1]) != test.maximum:
            raise UnreadableError(f"the unit {unit!r} is another scale than that of 0 to {plain(test.maximum)}")
        number = _converted(value, unit, test)
        _check(number, test)
        low, high = _bounds(number, comparator, Decimal(1) if _counts_points(test) else PLACES)
        return {
            "low": low,
            "high": high,
            "uln": _limit(raw, "referenceHigh", unit, test),
            "lln": _limit(raw, "referenceLow", unit, test),
            "limits_for": sex if (sex := raw.text("referenceSex")) in _FOR else None,
            "positive": _is_present(low, high) if test.presence else positive,
            "below_quantification": (comparator or "").startswith("<") if test.viral_load else None,
            "shown": _shown(raw, value, unit, comparator),
        }

    def method(self, raw: RawRecord, key: str) -> str | None:
        """`echocardiography`, by the test's own code or by the method of the record."""
        methods = raw.codings("methodCoding")
        named = any(
            (system == SNOMED and code == _ECHOCARDIOGRAPHY_SNOMED)
            or (not system and "echocardiogr" in code.lower() and not _NEGATED.search(code))
            for system, code, _ in methods
        )
        return "echocardiography" if key in _ECHOCARDIOGRAPHY_TESTS or named else None

    def _is_answerable(self, test: LaboratoryTest) -> bool:
        """Whether true or false is an answer: of scores only to classification criteria, and to what is counted."""
        return test.minimum is None or test.presence or self._terminology.is_classification(test.key)

    def _answer(self, raw: RawRecord, test: LaboratoryTest) -> bool | None:
        """The coded, true-or-false or interpreted answer. Raises UnreadableError where answers contradict."""
        stated = raw.flag("statedValue")
        if stated is not None and not self._is_answerable(test):
            raise UnreadableError("a score is a number, not true or false")
        if "interpretation" not in raw.values and "valueCoding" not in raw.values:
            return stated
        interpretations = {str(code) for code in raw.values.get("interpretation", ())}
        if interpretations & _UNDECIDED:
            raise UnreadableError("the result is indeterminate")
        coded = raw.codings("valueCoding")
        answers = {stated, *map(_INTERPRETATIONS.get, interpretations)}
        answers |= {_ANSWERS.get(coding[:2], self._terminology.answer([coding])) for coding in coded}
        answers.discard(None)
        if len(answers) > 1:
            raise UnreadableError("the answers of the record contradict each other")
        answer = next(iter(answers), None)
        if answer is not None:
            if _UNDECIDED_ANSWERS.intersection(coding[:2] for coding in coded):
                raise UnreadableError("the result is indeterminate")
            if _is_contrary(raw.text("textValue") or "", answer):
                raise UnreadableError(f"the coded result is {_coded(answer)}, its text {raw.text('textValue')!r}")
        return answer

    def _number(self, raw: RawRecord, test: LaboratoryTest) -> tuple[Decimal | None, str | None]:
        """The number and its unit as recorded; a titre `1:160` as its reciprocal. Raises UnreadableError."""
        value = raw.first("measuredValue")
        if value is None:
            titer = _TITER.fullmatch((raw.text("textValue") or "").strip())
            return (Decimal(titer[1]), "{titer}") if titer and test.canonical_unit == "{titer}" else (None, None)
        if not isinstance(value, Decimal):
            raise UnreadableError(f"the value {value!r} is no number")
        if ":" in test.key and not test.presence:
            raise UnreadableError("an item of a score is true or false, not a number")
        return value, raw.text("ucumUnit")


def _check_beside(raw: RawRecord, value: Decimal | None, unit: str | None, positive: bool | None) -> None:
    """Refuse a value that what stands beside it contradicts: a reason why there is none, or the interpretation."""
    if reason := raw.text("dataAbsentReason"):
        raise UnreadableError(f"there is a value, and a reason why there is none ({reason})")
    if value is None or "interpretation" not in raw.values:
        return
    comparator = raw.text("comparator") or ""
    if any(code in _OFF_SCALE and not comparator.startswith(str(code)) for code in raw.values["interpretation"]):
        raise UnreadableError("the interpretation says that the value is off the scale")
    limit = raw.number("referenceHigh")
    if limit is None or positive is None or raw.text("referenceHighUnit") not in (None, unit):
        return
    if (value < limit and comparator[:1] != ">") if positive else (value > limit and comparator[:1] != "<"):
        raise UnreadableError(f"the value is {_coded(positive)} by its interpretation, and not by its upper limit")


def _is_contrary(text: str, answer: bool) -> bool:
    """Whether a text says positive to a negative answer or the like, or calls the result undecided, and nothing else.

    Of words that something turns, that say both, or that explain a number before them nothing is understood.
    """
    text = _TURNED.sub(" ", " ".join(text.split()))
    if number := _NUMBER.search(text):
        text = text[: number.end()] + _KEY.sub(" ", text[number.end() :])
    rest, denials = _NEGATIVE_WORDS.subn(" ", text)
    affirms = _POSITIVE_WORDS.search(rest) is not None
    if (affirms and denials) or _TURNING_WORDS.search(rest):
        return False
    if affirms or denials:
        return affirms is not answer
    return _UNDECIDED_WORDS.search(rest) is not None


def _converted(value: Decimal, unit: str | None, test: LaboratoryTest) -> Decimal:
    if test.qualitative:
        raise UnreadableError("the result is a number, and the test is answered by positive or negative")
    mass = CREATININE_MOLAR_MASS if test.key == "upcr" else test.molar_mass
    try:
        return convert(value, _spelled(unit, test), test.canonical_unit or "{score}", mass)
    except UnitError as error:
        raise UnreadableError(str(error)) from error


def _spelled(unit: str | None, test: LaboratoryTest) -> str | None:
    """A unit as UCUM spells it: `lb` is `[lb_av]`, `IU/mL` is `[IU]/mL`, and of enzymes, `IU/L` is `U/L`."""
    unit = _POUNDS.sub("[lb_av]", _INTERNATIONAL_UNITS.sub(r"\1[IU]\2", (unit or "").strip())) or None
    return unit.replace("[IU]", "U") if unit and test.canonical_unit == "U/L" else unit


def _check(number: Decimal, test: LaboratoryTest) -> None:
    """Refuse what cannot be: beyond a score's range, half points of a counted score, negative, above 100 %, 0 kg."""
    if test.minimum is not None and number < test.minimum:
        raise UnreadableError(f"{plain(number)} is below the least possible value, {plain(test.minimum)}")
    if test.maximum is not None and number > test.maximum:
        raise UnreadableError(f"{plain(number)} is above the greatest possible value, {plain(test.maximum)}")
    if _counts_points(test) and number != number.to_integral_value():
        raise UnreadableError(f"{plain(number)} is no whole number of points")
    if number < 0 and test.canonical_unit != "Cel":
        raise UnreadableError(f"the value {plain(number)} is negative")
    if test.canonical_unit == "kg" and number == 0:
        raise UnreadableError("a body weight of 0 kg is none")
    if test.canonical_unit == "%" and number > 100:
        raise UnreadableError(f"{plain(number)} % is more than all")


def _counts_points(test: LaboratoryTest) -> bool:
    """Whether the test is a score in whole points, or a count; PGA is a position on a line."""
    return (test.maximum is not None or test.presence) and test.key != "pga"


def _bounds(number: Decimal, comparator: str | None, step: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """Least and greatest value: `<20` is an interval (rule 9); strict bounds are one `step` away, `>6` points are 7."""
    match comparator:
        case "<":
            return None, number - step
        case "<=":
            return None, number
        case ">":
            return number + step, None
        case ">=":
            return number, None
    return number, number


def _presence(positive: bool) -> dict[str, Any]:
    """Bounds of a count that is answered by present (at least 1) or absent (none)."""
    return {"low": Decimal(1), "high": None} if positive else {"low": Decimal(0), "high": Decimal(0)}


def _is_present(low: Decimal | None, high: Decimal | None) -> bool | None:
    """Whether a count with these bounds is above none."""
    if low is not None and low >= 1:
        return True
    return False if high is not None and high < 1 else None


def _leveled(low: Decimal | None, high: Decimal | None, shown: str) -> dict[str, Any]:
    return {"low": low, "high": high, "positive": _is_present(low, high), "shown": shown}


def _level_in_words(text: str, levels: tuple[AnswerLevel, ...]) -> dict[str, Any]:
    """The highest level whose words the text has: `high-flow nasal cannula` is high flow.

    Words for none count only alone; beside a negation or a flow no words are understood. Raises UnreadableError.
    """
    words = re.sub(r"[\W_]+", " ", f" {text.casefold()} ")
    absent = [level for level in levels if words.strip() in level.phrases and level.number == 0]
    named = [level for level in levels if level.number and any(f" {phrase} " in words for phrase in level.phrases)]
    if not absent and (not named or _NOT_PLAIN.search(words)):
        raise UnreadableError(
            f"the value {text!r} is none of: {', '.join(p for level in levels for p in level.phrases)}"
        )
    number = Decimal(max(level.number for level in absent or named))
    return _leveled(number, number, text)


def _level_of_flow(raw: RawRecord, value: Decimal, unit: str | None, levels: tuple[AnswerLevel, ...]) -> dict[str, Any]:
    """The level of a flow of oxygen: the first whose greatest flow is not exceeded. Raises UnreadableError."""
    comparator = raw.text("comparator")
    try:
        flow = convert(value, unit, "L/min")
    except UnitError as error:
        raise UnreadableError(str(error)) from error
    if flow < 0:
        raise UnreadableError(f"the value {plain(flow)} is negative")

    def level(bound: Decimal | None) -> Decimal | None:
        limits = [level.flow for level in levels if level.flow is not None]
        return None if bound is None else Decimal(sum(limit < bound for limit in limits))

    low, high = map(level, _bounds(flow, comparator, PLACES))
    return _leveled(low, high, _shown(raw, value, unit, comparator))


def _limit(raw: RawRecord, name: str, unit: str | None, test: LaboratoryTest) -> Decimal | None:
    """A limit of normal in the canonical unit, its unit that of the value where it has none; None if not usable."""
    limit = raw.number(name)
    if limit is None:
        return None
    try:
        return _converted(limit, raw.text(f"{name}Unit") or unit, test)
    except UnreadableError:
        return None


def _biopsy_class(raw: RawRecord) -> dict[str, Any]:
    """ISN/RPS classes in order, joined by `+`: `Class V + III (A/C)` → `III+V`. Raises UnreadableError."""
    text = raw.text("textValue") or ""
    bare = re.sub(r"\([^()]*\)", _detail, text.upper())
    bare = re.sub(r"\bCLASS\b|\bISN/RPS\b|\bLUPUS NEPHRITIS\b", " ", bare).strip()
    if not _CLASSES.fullmatch(bare):
        raise UnreadableError(f"{text!r} is no ISN/RPS class such as IV or III+V")
    found = {_ROMAN.get(word, word) for word in re.findall(r"VI|IV|V|III|II|I|[1-6]", bare)}
    ordered = sorted(found, key=list(_ROMAN.values()).index)
    return {"text": "+".join(ordered), "shown": text}


def _detail(match: re.Match[str]) -> str:
    """Nothing for details of a class in brackets, `(A/C)`; what may take the class back stays: `(RULED OUT)`."""
    return " " if _CLASS_DETAILS.issuperset(re.findall(r"[^\s,/+&()-]+", match[0])) else match[0]


def _bilag_grade(raw: RawRecord) -> dict[str, Any]:
    """The BILAG grade of one system, A to E. Raises UnreadableError."""
    codes = [code for _, code, _ in raw.codings("valueCoding")]
    grades = {str(text).strip().upper() for text in (*codes, raw.text("textValue"))} & set("ABCDE")
    if len(grades) != 1:
        raise UnreadableError(f"{raw.text('textValue')!r} is no BILAG grade from A to E")
    [grade] = grades
    return {"text": grade, "shown": grade}


def _coded(positive: bool) -> str:
    return "positive" if positive else "negative"


def _no_value(raw: RawRecord) -> str:
    if raw.values.get("valueCoding"):
        return "the coded result is neither positive nor negative"
    text = raw.text("textValue")
    return f"the value {text!r} is text" if text else "the result has no value"


def _shown(raw: RawRecord, value: Decimal, unit: str | None, comparator: str | None) -> str:
    """The value as recorded, with its upper limit: `25 U/L (upper limit 40)`."""
    words = unit_words(unit)
    shown = f"{comparator or ''}{plain(value)} {words}".rstrip()
    limit = raw.number("referenceHigh")
    if limit is None:
        return shown
    other = unit_words(raw.text("referenceHighUnit"))
    limit_words = f"{plain(limit)} {other if other != words else ''}".rstrip()
    return f"{shown} (upper limit {limit_words}{_FOR.get(raw.text('referenceSex') or '', '')})"
