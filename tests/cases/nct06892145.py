"""Cases of NCT06892145 (MC-1-50): inclusion criteria only."""

from __future__ import annotations

from caselib import (
    NEGATIVE,
    POSITIVE,
    Resource,
    Suite,
    ago,
    attest,
    complete,
    concept,
    consent,
    diagnosis,
    drug,
    event,
    example,
    given,
    items,
    lab,
    observation,
    order,
    person,
    quantity,
    result,
    said,
    score,
)

TRIAL = "NCT06892145"
suite = Suite(TRIAL)
case = suite.case
OTHERWISE = {
    "A3-04": "literal",
    "A3-06": "each",
    "A3-08": "ever",
    "A3-09": "and",
    "A3-10": "five-with-liver",
}
INTOLERANT = {"A3-07": "intolerance-replaces-activity"}
"""Every ambiguity read the other way; A3-07 alone, since its row rests on the others."""
WIDER = {"result": 29, "echocardiography": 91, "autoantibody": 91, "weight": 91, "pregnancyTest": 15}
COMPLETE = complete("medications")
CODE_MAP = "http://snomed.info/sct,999999999,other\nhttp://snomed.info/sct,999999998,hydroxychloroquine\n"

# The whole trial

case(
    "everything known and in order",
    "I01 I02 I03 I04 I05 I06 I07 pass",
    example("a-01"),
    whole={"verdict": "eligible", "nothing_against": True, "earliest_eligible": "2026-11-21", "source_complete": False},
    rows={
        "I04": {"valid_until": "2026-12-13", "evidence": "Observation/"},
        "I06a": {"valid_until": "2027-02-08"},
        "I09a": {"valid_until": "2026-12-02"},
        "I02": {"valid_until": None},
    },
)
case(
    "nothing known",
    "I01 I02 I03 I03a I03b I03c I03d I03e I03f I03g I03h I04 I05 I06 I06a I06b I06c I06d I06e I07 I08a I08b I09a I09b"
    " I09c I09d unknown, I02b pass",
    person(birth=None, sex=None),
    whole={"verdict": "undetermined", "nothing_against": False, "earliest_eligible": None},
    rows={
        "I01": {"open_kind": "agreement"},
        "I04": {"open_kind": "test"},
        "I08a": {"open_kind": "judgement", "needs_judgement": True},
        "I09b": {"open_kind": "agreement"},
        "I03b": {"open_kind": "data"},
        "I06": {"decisive": True},
    },
)
case(
    "only tests, agreements and judgements open",
    "I01 I04 I08a unknown, I03 pass",
    example("a-01", without=r'"Consent"|sledai2kTotal|attest:\w+/I08a'),
    attest(f"{TRIAL}/I03g", True),
    whole={
        "verdict": "undetermined",
        "nothing_against": True,
        "open_items": {"data": 0, "test": 1, "agreement": 1, "judgement": 1},
    },
)
case(
    "all but time in order",
    "I02 fail, I04 pass",
    example("a-01", person(birth="2008-11-25"), without='"Consent"'),
    attest(f"{TRIAL}/I01", True),
    whole={"verdict": "ineligible", "earliest_eligible": "2026-11-25"},
    rows={"I02": {"passes_from": "2026-11-25"}},
)

# I01 consent

case("consent to this trial", "I01 pass", consent(TRIAL))
case("consent to another trial", "I01 unknown", consent("NCT06106906"))
case("consent to no named trial", "I01 unknown", consent(None), rows={"I01": {"reason": "Consent/"}})
case("consent dated after screening", "I01 unknown", consent(TRIAL, on=ago(-1)))
REFUSED = {"status": "rejected"}


def until(day: str) -> Resource:
    """The end of the period of a consent."""
    return {"provision": {"period": {"end": day}}}


CANNOT = observation(f"local:attest:{TRIAL}/I01", ago(1), valueInteger=1)
for name, expected, changes, on in (
    ("inactive later", "unknown", {"status": "inactive"}, ago(5)),
    ("rejected on that day", "unknown", REFUSED, ago(9)),
    ("rejected on an unknown day", "unknown", REFUSED, None),
    ("rejected on a day that is none", "unknown", REFUSED, "2026-11-31"),
    ("rejected in that month", "unknown", REFUSED, ago(9)[:7]),
    ("denied later", "unknown", {"provision": {"type": "deny"}}, ago(5)),
    ("permitted later, until yesterday", "unknown", until(ago(1)), ago(5)),
    ("permitted later, until a day that is none", "unknown", until("soon"), ago(5)),
    ("permitted later, until today", "pass", until(ago(0)), ago(5)),
    ("permitted later, until tomorrow", "pass", until(ago(-1)), ago(5)),
    ("permitted before, until yesterday", "pass", until(ago(1)), ago(10)),
    ("inactive before", "pass", {"status": "inactive"}, ago(10)),
    ("inactive after screening", "pass", {"status": "inactive"}, ago(-1)),
    ("proposed later", "pass", {"status": "proposed"}, ago(5)),
    ("refused later to no named trial", "pass", {**REFUSED, "identifier": []}, ago(5)),
    ("refused later to another trial", "pass", {**REFUSED, "identifier": consent("NCT06106906")["identifier"]}, ago(5)),
):
    beside = {"I01": {"open_kind": "data"}} if expected == "unknown" else {}
    case(
        f"consent, {name}", f"I01 {expected}", {**consent(TRIAL, on), **changes}, consent(TRIAL, on=ago(9)), rows=beside
    )
case("consent of unknown day, refused later", "I01 unknown", consent(TRIAL, on=None), {**consent(TRIAL), **REFUSED})
case("consent of unknown day", "I01 pass", consent(TRIAL, on=None))
case(
    "consent refused, none signed",
    "I01 unknown",
    {**consent(TRIAL, ago(5)), **REFUSED},
    rows={"I01": {"open_kind": "data"}},
)
case("consent refused, but stated", "I01 pass", {**consent(TRIAL, ago(5)), **REFUSED}, events={"consent": ago(3)})
case("consent refused, and planned", "I01 unknown", {**consent(TRIAL, ago(5)), **REFUSED}, event("consent", ago(3)))
case(
    "consent withdrawn yesterday, else eligible",
    "I01 unknown",
    example("a-01", {**consent(TRIAL, ago(1)), **REFUSED, "id": "withdrawn"}),
    whole={"verdict": "undetermined", "nothing_against": False},
    rows={"I01": {"open_kind": "data", "reason": "refused on 2026-11-20 (Consent/"}},
)
case("consent by event", "I01 pass", events={"consent": ago(3)})
case("consent by event after screening", "I01 unknown", events={"consent": ago(-3)})
case("consent attested false", "I01 fail", attest(f"{TRIAL}/I01", False))
case("consent attested, before one that cannot be read", "I01 unknown", attest(f"{TRIAL}/I01", True, ago(2)), CANNOT)
case("consent attested, after one that cannot be read", "I01 pass", attest(f"{TRIAL}/I01", True, ago(0)), CANNOT)
case(
    "consent signed, and an attestation that cannot be read",
    "I01 unknown",
    consent(TRIAL),
    CANNOT,
    rows={"I01": {"reason": "may say otherwise", "missing": "true or false", "open_kind": "data"}},
)

# I02 age

case("eighteen today", "I02 pass", person(birth="2008-11-21"))
case("eighteen tomorrow", "I02 fail", person(birth="2008-11-22"), rows={"I02": {"passes_from": "2026-11-22"}})
case("eighteen sometime this month", "I02 unknown", person(birth="2008-11"))
case("eighteen sometime this year", "I02 unknown", person(birth="2008"))
case("seventeen all this year", "I02 fail", person(birth="2009"))
case("born the year before", "I02 pass", person(birth="2007"))
case(
    "a day too young when consent was signed",
    "I02 fail",
    person(birth="2008-11-21"),
    consent(TRIAL, on=ago(1)),
    rows={"I02": {"passes_from": None}},
)

# I03a classification

case("classification stated", "I03a pass", said("eularAcr2019", on="2018-03-01"))
case("classification denied", "I03a fail", said("eularAcr2019", False, on="2018-03-01"))
case("another classification only", "I03a unknown", said("slicc2012", on="2018-03-01"))
case("nine points disprove", "I03a fail", score("eularAcr2019", 9), result("ana", POSITIVE))
case("ten points without the items", "I03a unknown", score("eularAcr2019", 10), result("ana", POSITIVE))
case("twelve points without the items", "I03a unknown", score("eularAcr2019", 12), result("ana", POSITIVE))
case("thirteen points with antinuclear antibodies", "I03a pass", score("eularAcr2019", 13), result("ana", POSITIVE))
case("thirteen points alone", "I03a unknown", score("eularAcr2019", 13))
case(
    "ten points by items",
    "I03a pass",
    items("eularAcr2019", "ana jointInvolvement proteinuria"),
)
case("items without antinuclear antibodies", "I03a fail", items("eularAcr2019", "biopsyIIIorIV", "ana"))
case(
    "refuted lupus decides over points",
    "I03a fail",
    diagnosis("sct:55464009", onset="2018", verification="refuted"),
    score("eularAcr2019", 20),
    result("ana", POSITIVE),
)
case(
    "drug-induced lupus is not lupus",
    "I03a unknown",
    diagnosis("icd:M32.0", onset="2018"),
)

# I03b hydroxychloroquine

case("hydroxychloroquine once", "I03b pass", drug("rx:5521", "2015-01-01", "2015-02-01"))
case("hydroxychloroquine by ATC", "I03b pass", drug("atc:P01BA02", "2026-01-01"))
case("no hydroxychloroquine in a complete record", "I03b fail", complete("medications"))
case("chloroquine only", "I03b fail", drug("atc:P01BA01", "2015", "2016"), complete("medications"))
case(
    "hydroxychloroquine ordered",
    "I03b unknown",
    order("rx:5521", "2015-01-01"),
    rows={"I03b": {"evidence": "ordered"}},
)
case("hydroxychloroquine order cancelled", "I03b fail", order("rx:5521", "2015-01-01", status="cancelled"), complete())
case("hydroxychloroquine planned", "I03b fail", order("rx:5521", "2015-01-01", intent="plan"), complete())
case("hydroxychloroquine not taken", "I03b fail", drug("rx:5521", "2015-01-01", status="not-taken"), complete())
case("hydroxychloroquine entered in error", "I03b fail", drug("rx:5521", "2015", status="entered-in-error"), complete())
case("hydroxychloroquine from tomorrow", "I03b fail", drug("rx:5521", ago(-1)), complete())
case("completeness up to yesterday", "I03b unknown", complete("medications", on=ago(1)))
case("completeness by the command line", "I03b fail", complete=("medications",))
case(
    "unmapped medicine keeps a record from being complete",
    "I03b unknown",
    drug("sct:999999999", "2015", display="Some tablets"),
    complete("medications"),
    whole={"unread": ["Some tablets"]},
)
case(
    "unmapped medicine mapped to something else",
    "I03b fail",
    drug("sct:999999999", "2015", display="Some tablets"),
    complete("medications"),
    code_map=CODE_MAP,
)
case(
    "unmapped medicine mapped to hydroxychloroquine",
    "I03b pass",
    drug("sct:999999998", "2015"),
    code_map=CODE_MAP,
)
case(
    "medicine without a code",
    "I03b unknown",
    {**drug("rx:1", "2015"), "medicationCodeableConcept": {"text": "pills"}},
    complete("medications"),
    whole={"unread": ["pills"]},
)

# I03c glucocorticoid per kilogram

WEIGHT = lab("weight", 55, "kg", on="2018-03-05")
case(
    "one milligram per kilogram",
    "I03c pass",
    WEIGHT,
    drug("rx:8640", "2018-03-05", "2018-05-01", 55),
    rows={"I03c": {"flags": "duration"}},
)
case(
    "a tenth of a milligram short of one per kilogram",
    "I03c fail",
    WEIGHT,
    drug("rx:8640", "2018-03-05", "2018-05-01", "54.9"),
    complete("medications"),
    rows={"I03c": {"flags": ""}},
)
case(
    "a lower dose in an incomplete record", "I03c unknown", WEIGHT, drug("rx:8640", "2018-03-05", "2018-05-01", "54.9")
)
case(
    "four milligrams of methylprednisolone are five of prednisone",
    "I03c pass",
    WEIGHT,
    drug("rx:6902", "2018-03-05", "2018-05-01", 44),
)
case(
    "two glucocorticoids add up",
    "I03c pass",
    WEIGHT,
    drug("rx:8640", "2018-03-05", "2018-05-01", 30),
    drug("rx:8638", "2018-04-05", "2018-06-01", 25),
)
case(
    "two glucocorticoids that are thirds of the limit",
    "I03c pass",
    lab("weight", 60, "kg", on="2018-03-05"),
    drug("rx:8640", "2018-03-05", "2018-05-01", 40),
    drug("rx:6902", "2018-03-05", "2018-05-01", 16),
)
case("topical glucocorticoid", "I03c fail", WEIGHT, drug("atc:A07EA03", "2018-03-05", "2018-05-01", 60), complete())
case("glucocorticoid without weight", "I03c unknown", drug("rx:8640", "2018-03-05", "2018-05-01", 60))
case(
    "weight a year before the dose",
    "I03c pass",
    lab("weight", 55, "kg", on="2017-03-05"),
    drug("rx:8640", "2018-03-05", "2018-05-01", 55),
)
case(
    "weight a year and a day before the dose",
    "I03c unknown",
    lab("weight", 55, "kg", on="2017-03-04"),
    drug("rx:8640", "2018-03-05", "2018-05-01", 55),
)
case(
    "weight inside the interval goes before a nearer start",
    "I03c fail",
    lab("weight", 50, "kg", on="2018-03-04"),
    lab("weight", 60, "kg", on="2018-04-30"),
    drug("rx:8640", "2018-03-05", "2018-05-01", 55),
    complete("medications"),
)
case(
    "a weight of nothing beside a true one",
    "I03c pass",
    WEIGHT,
    lab("weight", 0, "kg", on="2018-04-30"),
    drug("rx:8640", "2018-03-05", "2018-05-01", 55),
)
case(
    "a weight of nothing on the day of the dose, a true one before it",
    "I03c pass",
    lab("weight", 55, "kg", on="2017-03-05"),
    lab("weight", 0, "kg", on="2018-03-05"),
    drug("rx:8640", "2018-03-05", "2018-05-01", 55),
)
case(
    "a weight of nothing alone",
    "I03c unknown",
    lab("weight", 0, "kg", on="2018-04-30"),
    drug("rx:8640", "2018-03-05", "2018-05-01", 55),
    complete("medications"),
    rows={"I03c": {"missing": "the body weight at the time of prednisone"}},
    whole={"unread": ["Body weight"]},
)

# I03d immunosuppressants

TWO = [drug("rx:68149", "2019-01-10", "2020-01-10"), drug("rx:1256", "2018-06-01", "2018-12-31")]
case("two immunosuppressants", "I03d pass", TWO, others={"I03d": {"A3-04/literal": "fail"}})
case(
    "one immunosuppressant",
    "I03d fail",
    TWO[0],
    complete("medications"),
    others={"I03d": {"A3-04/literal": "pass"}},
)
case("one immunosuppressant known", "I03d unknown", TWO[0])
case(
    "mycophenolate mofetil and acid are one",
    "I03d fail",
    TWO[0],
    drug("rx:7145", "2020-02-01", "2021-02-01"),
    complete("medications"),
)
case(
    "leflunomide and teriflunomide are one",
    "I03d fail",
    drug("atc:L04AK01", "2019", "2020"),
    drug("atc:L04AK02", "2020", "2021"),
    complete("medications"),
)
case("the same medicine twice", "I03d fail", TWO[1], drug("atc:L04AX01", "2020", "2021"), complete("medications"))
case("old code of sirolimus", "I03d pass", TWO[0], drug("atc:L04AA10", "2020", "2021"))
case("topical tacrolimus", "I03d fail", TWO[0], drug("atc:D11AH01", "2020", "2021"), complete("medications"))
case("two immunosuppressants, read literally", "I03d fail", TWO, readings=OTHERWISE)
case(
    "one immunosuppressant, read literally",
    "I03d pass",
    TWO[0],
    complete("medications"),
    readings=OTHERWISE,
    rows={"I03d": {"reading": "literal"}},
)

# I03e biologic

case("belimumab", "I03e pass", drug("atc:L04AG04", "2021", "2023"))
case("belimumab by its old code", "I03e pass", drug("atc:L04AA26", "2021", "2023"))
case("telitacicept by local code", "I03e pass", drug("local:telitacicept", "2021", "2023"))
case("anifrolumab", "I03e pass", drug("atc:L04AG11", "2021", "2023"))
case(
    "rituximab does not count",
    "I03e fail",
    drug("atc:L01FA01", "2021", "2023"),
    complete("medications"),
    rows={"I03e": {"flags": "ituximab"}},
)
case("a class code of biologics is undecided", "I03e unknown", drug("atc:L04AG", "2021", "2023"), complete())
case("no biologic", "I03e fail", complete("medications"))
case("no record of a biologic", "I03e unknown")

# I03f duration

case(
    "ninety-two days in two pieces",
    "I03f pass",
    drug("rx:5521", "2020-01-01", "2020-02-16"),
    drug("rx:5521", "2021-01-01", "2021-02-16"),
)
case("ninety-two days", "I03f pass", drug("rx:5521", "2020-01-01", "2020-04-02"))
case("ninety-one days", "I03f unknown", drug("rx:5521", "2020-01-01", "2020-04-01"), complete("medications"))
case("eighty-nine days", "I03f unknown", drug("rx:5521", "2020-01-01", "2020-03-30"), complete("medications"))
case("eighty-eight days", "I03f fail", drug("rx:5521", "2020-01-01", "2020-03-29"), complete("medications"))
case("eighty-eight days known", "I03f unknown", drug("rx:5521", "2020-01-01", "2020-03-29"))
case(
    "overlapping treatments count once",
    "I03f fail",
    drug("rx:5521", "2020-01-01", "2020-03-29"),
    drug("rx:8640", "2020-01-11", "2020-03-20"),
    complete("medications"),
)
case(
    "a treatment that still runs has a date",
    "I03f fail",
    drug("rx:5521", ago(80)),
    complete("medications"),
    rows={"I03f": {"passes_from": ago(-12)}},
)
LONG = [
    drug("rx:5521", "2020-01-01", "2020-06-01"),
    drug("rx:8640", "2020-01-01", "2020-06-01"),
    drug("rx:1256", "2020-01-01", "2020-06-01"),
]
PIECES = [("2020-01-01", "2020-02-15"), ("2020-02-17", "2020-04-03")]
case("ninety-one days in two pieces", "I03f unknown", [drug("rx:5521", *piece) for piece in PIECES], COMPLETE)
SHORT_BIOLOGIC = drug("atc:L04AG04", "2020-01-01", "2020-03-01")
case(
    "one treatment of four too short",
    "I03f pass",
    LONG,
    SHORT_BIOLOGIC,
    complete("medications"),
    others={"I03f": {"A3-06/each": "fail"}},
)
case(
    "one treatment of four too short, each asked for",
    "I03f fail",
    LONG,
    SHORT_BIOLOGIC,
    complete("medications"),
    readings=OTHERWISE,
)
for number, short in enumerate(("hydroxychloroquine", "glucocorticoid", "immunosuppressant", "biologic")):
    codes = ("rx:5521", "rx:8640", "rx:1256", "atc:L04AG04")
    case(
        f"each treatment long enough but the {short} a day short",
        "I03f fail",
        [drug(code, "2020-01-01", "2020-03-29" if at == number else "2020-04-02") for at, code in enumerate(codes)],
        complete("medications"),
        readings=OTHERWISE,
    )
    for what, dates in (
        ("of 89 days", [("2020-01-01", "2020-03-30")]),
        ("of 91 days", [("2020-01-01", "2020-04-01")]),
        ("of 91 days in two pieces", PIECES),
    ):
        case(
            f"each treatment long enough, the {short} {what}",
            "I03f unknown",
            [drug(code, "2020-01-01", "2020-04-02") for at, code in enumerate(codes) if at != number],
            [drug(codes[number], *piece) for piece in dates],
            COMPLETE,
            readings=OTHERWISE,
        )
case(
    "each treatment long enough",
    "I03f pass",
    [drug(code, "2020-01-01", "2020-04-02") for code in ("rx:5521", "rx:8640", "rx:1256", "atc:L04AG04")],
    readings=OTHERWISE,
)

# I03h, the group I03 and its readings

TREATED = r'"I03h"|sledai2kTotal'
case("intolerant", "I03h pass", attest(f"{TRIAL}/I03h", True))
case("not intolerant", "I03h fail", attest(f"{TRIAL}/I03h", False))
case(
    "a failing treatment of an intolerant patient is not decisive",
    "I03 I03a I03h pass, I03b fail",
    said("eularAcr2019", on="2018-03-01"),
    attest(f"{TRIAL}/I03h", True),
    complete("medications"),
    rows={"I03b": {"decisive": False}, "I03": {"decisive": True}, "I03a": {"decisive": True}},
    others={"I03": {"A3-07/intolerance-replaces-activity": "fail"}},
)
case(
    "intolerance stands for activity only",
    "I03 fail",
    said("eularAcr2019", on="2018-03-01"),
    attest(f"{TRIAL}/I03h", True),
    complete("medications"),
    readings=INTOLERANT,
)
case(
    "treated, inactive and intolerant",
    "I03 I03h pass, I03g I04 fail",
    example("a-01", score("sledai2kTotal", 6), without="sledai2kTotal"),
    attest(f"{TRIAL}/I03h", True),
    readings=INTOLERANT,
    whole={"verdict": "ineligible"},
)
case(
    "treated, inactive and not intolerant",
    "I03 I03g fail",
    example("a-01", score("sledai2kTotal", 6), without="sledai2kTotal"),
    attest(f"{TRIAL}/I03h", False),
    readings=INTOLERANT,
)
case("a group attested", "I03 pass, I03a unknown", attest(f"{TRIAL}/I03", True))

# I04 SLEDAI-2K

case("seven points", "I04 I03g pass", score("sledai2kTotal", 7))
case("six points", "I04 I03g fail", score("sledai2kTotal", 6))
case(
    "a score of 28 days",
    "I04 pass",
    score("sledai2kTotal", 9, on=ago(28)),
    rows={"I04": {"valid_until": "2026-11-21"}},
)
case("a score of 29 days", "I04 unknown", score("sledai2kTotal", 9, on=ago(29)), rows={"I04": {"missing": "SLEDAI-2K"}})
case("a score of 29 days and a longer window", "I04 pass", score("sledai2kTotal", 9, on=ago(29)), windows=WIDER)
case("a score of tomorrow", "I04 unknown", score("sledai2kTotal", 9, on=ago(-1)))
case("the later score wins", "I04 fail", score("sledai2kTotal", 9, on=ago(8)), score("sledai2kTotal", 6, on=ago(7)))
case("two scores of one day", "I04 unknown", score("sledai2kTotal", 6), score("sledai2kTotal", 8))
case("two scores of one day that agree", "I04 pass", score("sledai2kTotal", 7), score("sledai2kTotal", 8))
case("a SELENA score does not stand in", "I04 unknown", score("selenaSledaiTotal", 12))
case("a score beyond its maximum", "I04 unknown", score("sledai2kTotal", 106), whole={"unread": ["-1"]})
case("seizure alone makes eight", "I04 pass", items("sledai2k", "seizure"))
SERIOUS = "seizure psychosis organicBrainSyndrome visualDisturbance cranialNerveDisorder lupusHeadache"
NONE = (
    f"{SERIOUS} cerebrovascularAccident vasculitis myositis urinaryCasts hematuria proteinuria pyuria alopecia"
    " mucosalUlcers pleurisy pericarditis lowComplement increasedDNABinding fever thrombocytopenia leukopenia"
)
case("six points by items", "I04 fail", items("sledai2k", "arthritis rash", NONE))
case("six points by items, one item missing", "I04 unknown", items("sledai2k", "arthritis rash", NONE[8:]))
case(
    "items of two days do not count together",
    "I04 unknown",
    items("sledai2k", "arthritis", NONE),
    items("sledai2k", "rash pleurisy", on=ago(5)),
)
case("total and items of one day that differ", "I04 unknown", score("sledai2kTotal", 6), items("sledai2k", "seizure"))
case(
    "a score attested against the data",
    "I04 unknown",
    score("sledai2kTotal", 6),
    attest(f"{TRIAL}/I04", True),
    rows={"I04": {"reason": "attest"}},
)
case("a score attested where none is recorded", "I04 pass, I03g unknown", attest(f"{TRIAL}/I04", True))
case(
    "the latest attestation wins",
    "I04 fail",
    attest(f"{TRIAL}/I04", True, on=ago(9)),
    attest(f"{TRIAL}/I04", False, on=ago(2)),
)

# I05 autoantibodies

case("antinuclear antibodies", "I05 pass", result("ana", POSITIVE))
case("antibodies to dsDNA", "I05 pass", result("dsDnaQual", POSITIVE), result("ana", NEGATIVE))
case("neither antibody", "I05 fail", result("ana", NEGATIVE), result("dsDnaQual", NEGATIVE))
case("one antibody negative", "I05 unknown", result("ana", NEGATIVE))
case("an antibody of 90 days", "I05 pass", result("ana", POSITIVE, on=ago(90)))
case(
    "an antibody of 91 days",
    "I05 unknown",
    result("ana", POSITIVE, on=ago(91)),
    others={"I05": {"A3-08/ever": "pass"}},
)
case("an antibody of 91 days, whenever", "I05 pass", result("ana", POSITIVE, on=ago(91)), readings=OTHERWISE)
case(
    "an antibody to dsDNA of 91 days, whenever",
    "I05 pass",
    result("dsDnaQual", POSITIVE, on=ago(91)),
    readings=OTHERWISE,
)
case(
    "no antibody in a year is not none ever",
    "I05 unknown",
    result("ana", NEGATIVE, on=ago(300)),
    result("dsDnaQual", NEGATIVE, on=ago(300)),
    readings=OTHERWISE,
)
case("no antibody known, whenever", "I05 unknown", result("ana", NEGATIVE, on=ago(300)), readings=OTHERWISE)
case(
    "an antibody of 91 days and a longer window",
    "I05 pass",
    result("ana", POSITIVE, on=ago(91)),
    windows=WIDER,
)
case("dsDNA above its limit", "I05 pass", lab("dsDna", 31, "[IU]/mL", uln=30))
case("dsDNA at its limit", "I05 fail", lab("dsDna", 30, "[IU]/mL", uln=30), result("ana", NEGATIVE))
case(
    "two assays of dsDNA disagree",
    "I05 unknown",
    result("dsDnaQual", NEGATIVE),
    lab("dsDna", 60, "[IU]/mL", uln=30),
    result("ana", NEGATIVE),
)

# I06a ejection fraction

case("ejection fraction 50", "I06a pass", lab("lvef2d", 50, "%"))
case("ejection fraction 49.9", "I06a I06 fail", lab("lvef2d", "49.9", "%"))
case("ejection fraction of 90 days", "I06a pass", lab("lvef2d", 60, "%", on=ago(90)))
case("ejection fraction of 91 days", "I06a unknown", lab("lvef2d", 60, "%", on=ago(91)))
case(
    "ejection fraction of 91 days and a longer window",
    "I06a pass",
    lab("lvef2d", 60, "%", on=ago(91)),
    windows=WIDER,
)
case("ejection fraction of no stated method", "I06a unknown", lab("lvef", 60, "%"))
case(
    "ejection fraction without unit",
    "I06a unknown",
    {**lab("lvef2d", 60, "%"), "valueQuantity": {"value": 60, "unit": "apples", "code": "apples"}},
    whole={"unread": ["-1"]},
)

# I06b creatinine, or clearance: a woman of 36, 55 kg

case("creatinine at twice its limit", "I06b pass", lab("creatinine", "2.2", "mg/dL", uln="1.1"))
LIGHT = lab("weight", 55, "kg")
case("creatinine above twice its limit", "I06b fail", lab("creatinine", "2.21", "mg/dL", uln="1.1"), LIGHT)
case("creatinine in micromoles at twice its limit", "I06b pass", lab("creatinineSI", 160, "umol/L", uln=80))
case("creatinine in micromoles above", "I06b fail", lab("creatinineSI", "160.1", "umol/L", uln=80), LIGHT)
case("creatinine without limit, clearance low", "I06b unknown", lab("creatinine", "2.21", "mg/dL"), LIGHT)
case("creatinine above, no weight", "I06b unknown", lab("creatinine", "2.21", "mg/dL", uln="1.1"))
FORTY = person("1986-05-10", "male")
TWO_MG = lab("creatinine", 2, "mg/dL", uln="0.9")
case("clearance of 60", "I06b pass", FORTY, TWO_MG, lab("weight", "86.4", "kg"))
case("clearance below 60", "I06b fail", FORTY, TWO_MG, lab("weight", "86.3", "kg"))
case("clearance of unknown sex", "I06b unknown", person("1986-05-10", None), TWO_MG, lab("weight", "86.3", "kg"))
case("weight of 91 days", "I06b unknown", FORTY, TWO_MG, lab("weight", "86.4", "kg", on=ago(91)))
case(
    "weight of 91 days and a longer window",
    "I06b pass",
    FORTY,
    TWO_MG,
    lab("weight", "86.4", "kg", on=ago(91)),
    windows=WIDER,
)
case(
    "recorded and computed clearance on two sides of the limit",
    "I06b unknown",
    FORTY,
    TWO_MG,
    lab("weight", "86.3", "kg"),
    lab("clearance", 61, "mL/min"),
)
case("recorded clearance of 60", "I06b pass", lab("clearance", 60, "mL/min"))
SLIGHT = [person(), lab("creatinine", "1.5", "mg/dL", uln="1.1"), LIGHT]
case("creatinine in order, clearance low", "I06b pass", SLIGHT, others={"I06b": {"A3-09/and": "fail"}})
case("creatinine in order, clearance low, both asked for", "I06b fail", SLIGHT, readings=OTHERWISE)
case(
    "clearance of 60, both asked for",
    "I06b pass",
    FORTY,
    lab("creatinine", 2, "mg/dL", uln=1),
    lab("weight", "86.4", "kg"),
    readings=OTHERWISE,
)
case(
    "clearance below 60, both asked for",
    "I06b fail",
    FORTY,
    lab("creatinine", 2, "mg/dL", uln=1),
    lab("weight", "86.3", "kg"),
    readings=OTHERWISE,
)
case(
    "creatinine above, both asked for",
    "I06b fail",
    FORTY,
    lab("creatinine", "2.01", "mg/dL", uln=1),
    lab("weight", 120, "kg"),
    readings=OTHERWISE,
)

# I06c transaminases

AST = lab("ast", 22, "U/L", uln=40)
ALT = lab("alt", 22, "U/L", uln=40)
case("ALT at three times its limit", "I06c pass", lab("alt", 120, "U/L", uln=40), AST)
case("ALT just under three times its limit", "I06c pass", lab("alt", "119.9", "U/L", uln=40), AST)
case(
    "ALT just above three times its limit",
    "I06c fail",
    lab("alt", "120.1", "U/L", uln=40),
    AST,
    rows={"I06c": {"flags": "3.0"}},
    others={"I06c": {"A3-10/five-with-liver": "unknown"}},
)
case("ALT 2.1 of 0.7", "I06c pass", lab("alt", "2.1", "ukat/L", uln="0.7"), AST)
case("AST at three times its limit", "I06c pass", lab("ast", 120, "U/L", uln=40), ALT)
case("AST just above three times its limit", "I06c fail", lab("ast", "120.1", "U/L", uln=40), ALT)
case("ALT without limit", "I06c unknown", lab("alt", 30, "U/L"), AST)
case("AST missing", "I06c unknown", ALT)
case("ALT above 120", "I06c fail", lab("alt", 120, "U/L", uln=40, comparator=">"), AST)
case("ALT below 120", "I06c pass", lab("alt", 120, "U/L", uln=40, comparator="<"), AST)
case("ALT above 100", "I06c unknown", lab("alt", 100, "U/L", uln=40, comparator=">"), AST)
case("ALT in micrograms", "I06c unknown", lab("alt", 30, "ug/L", uln=40), AST, whole={"unread": ["-1"]})
case(
    "ALT at three times its limit, liver allowed for",
    "I06c pass",
    lab("alt", 120, "U/L", uln=40),
    AST,
    readings=OTHERWISE,
)
case(
    "ALT at five times its limit, liver allowed for",
    "I06c unknown",
    lab("alt", 200, "U/L", uln=40),
    AST,
    readings=OTHERWISE,
)
case(
    "ALT above five times its limit, liver allowed for",
    "I06c fail",
    lab("alt", "200.1", "U/L", uln=40),
    AST,
    readings=OTHERWISE,
    rows={"I06c": {"flags": ""}},
)
case(
    "AST at five times its limit, liver allowed for",
    "I06c unknown",
    lab("ast", 200, "U/L", uln=40),
    ALT,
    readings=OTHERWISE,
)
case(
    "AST above five times its limit, liver allowed for",
    "I06c fail",
    lab("ast", "200.1", "U/L", uln=40),
    ALT,
    readings=OTHERWISE,
)
case(
    "AST just above three times its limit, liver allowed for",
    "I06c unknown",
    lab("ast", "120.1", "U/L", uln=40),
    ALT,
    readings=OTHERWISE,
)
case(
    "AST at three times its limit, liver allowed for",
    "I06c pass",
    lab("ast", 120, "U/L", uln=40),
    ALT,
    readings=OTHERWISE,
)

for test, other in (("alt", AST), ("ast", ALT)):
    for value, flag in ((120, ""), ("120.1", "3.0"), (200, "3.0"), ("200.1", "")):
        case(
            f"a flag for {test} {value}",
            f"I06c {'pass' if value == 120 else 'fail'}",
            lab(test, value, "U/L", uln=40),
            other,
            rows={"I06c": {"flags": flag}},
        )
    case(f"{test} of 28 days", "I06c pass", lab(test, 30, "U/L", uln=40, on=ago(28)), other)
    case(f"{test} of 29 days", "I06c unknown", lab(test, 30, "U/L", uln=40, on=ago(29)), other)

# I06d bilirubin

case("bilirubin at twice its limit", "I06d pass", lab("bilirubin", "2.4", "mg/dL", uln="1.2"))
HIGH = lab("bilirubin", "2.41", "mg/dL", uln="1.2")
case("bilirubin above twice its limit", "I06d fail", HIGH, complete("conditions"))
case("bilirubin above twice its limit, history incomplete", "I06d unknown", HIGH)
GILBERT = diagnosis("sct:27503000", onset="2010")
case(
    "bilirubin of three times its limit in Gilbert syndrome",
    "I06d pass",
    GILBERT,
    lab("bilirubin", "3.6", "mg/dL", uln="1.2"),
)
case(
    "bilirubin above three times its limit in Gilbert syndrome",
    "I06d fail",
    GILBERT,
    lab("bilirubin", "3.61", "mg/dL", uln="1.2"),
)
case("Gilbert syndrome by ICD-10", "I06d pass", diagnosis("icd:E80.4", onset="2010"), HIGH)
case("Gilbert syndrome refuted", "I06d fail", diagnosis("icd:E80.4", onset="2010", verification="refuted"), HIGH)
case(
    "Gilbert syndrome provisional",
    "I06d unknown",
    HIGH,
    complete("conditions"),
    diagnosis("icd:E80.4", onset="2010", verification="provisional"),
)

# I06e oxygen

AIR = said("supplementalOxygen", False, on=ago(6))
case("saturation 92 on room air", "I06e pass", lab("spo2", 92, "%"), AIR)
case("saturation 91.9 on room air", "I06e fail", lab("spo2", "91.9", "%"), AIR)
case("saturation without word of oxygen", "I06e unknown", lab("spo2", 98, "%"))
case("room air of another day", "I06e unknown", lab("spo2", 98, "%"), said("supplementalOxygen", False, on=ago(5)))
case(
    "saturation of 29 days",
    "I06e unknown",
    lab("spo2", 98, "%", on=ago(29)),
    said("supplementalOxygen", False, on=ago(29)),
)

case("saturation of 28 days", "I06e pass", lab("spo2", 98, "%", on=ago(28)), said("supplementalOxygen", False, ago(28)))
for days, status in ((28, "pass"), (29, "unknown")):
    case(f"bilirubin of {days} days", f"I06d {status}", lab("bilirubin", 1, "mg/dL", uln=2, on=ago(days)))
    case(f"creatinine of {days} days", f"I06b {status}", lab("creatinine", 1, "mg/dL", uln=2, on=ago(days)))
    case(f"activity of {days} days", f"I03g {status}", score("sledai2kTotal", 9, on=ago(days)))

# I07, I08, I09

case("severe mental disorder", "I07 fail", diagnosis("sct:74732009", onset="2020", severity="severe"))
case(
    "mental disorder of unknown severity",
    "I07 unknown",
    diagnosis("icd:F32.1", onset="2020"),
    rows={"I07": {"needs_judgement": True}},
)
case(
    "mental disorder of moderate severity",
    "I07 unknown",
    diagnosis("icd:F32.1", onset="2020", severity="moderate"),
    complete("conditions"),
)
case("no mental disorder recorded", "I07 unknown", complete("conditions"))
case("no serious mental disorder attested", "I07 pass", attest(f"{TRIAL}/I07", True))
for row in ("I08a", "I08b", "I09d"):
    case(f"{row} attested", f"{row} pass", attest(f"{TRIAL}/{row}", True))
    case(f"{row} denied", f"{row} fail", attest(f"{TRIAL}/{row}", False))
MAN = person(sex="male")
case("serum test negative", "I09a pass", result("hcgSerum", NEGATIVE, on=ago(3)))
case("serum test of 14 days", "I09a pass", result("hcgSerum", NEGATIVE, on=ago(14)))
case(
    "serum test of 15 days",
    "I09a unknown",
    result("hcgSerum", NEGATIVE, on=ago(15)),
    rows={"I09a": {"open_kind": "test"}},
)
case(
    "serum test of 15 days and a longer window",
    "I09a pass",
    result("hcgSerum", NEGATIVE, on=ago(15)),
    windows=WIDER,
)
case("urine test only", "I09a unknown", result("hcgUrine", NEGATIVE, on=ago(3)))
case(
    "serum negative and urine positive",
    "I09a pass",
    result("hcgSerum", NEGATIVE, on=ago(3)),
    result("hcgUrine", POSITIVE, on=ago(3)),
)
case("serum test positive", "I09a fail", result("hcgSerum", POSITIVE, on=ago(3)))
case("a man", "I09a not-applicable, I09b I09c unknown", MAN)
case("sterilised woman", "I09a not-applicable", said("sterilised"))
case("woman without childbearing potential", "I09a not-applicable", said("childbearingPotential", False))
case("woman after menopause", "I09a not-applicable", said("postmenopausal"))
case("woman of childbearing potential", "I09a unknown", said("childbearingPotential"))
case("sex unknown", "I09a I09c unknown", person(sex="unknown"))
case("a woman agrees", "I09b pass, I09c not-applicable", said("agreesContraception"))
case("a man agrees", "I09b I09c pass", MAN, said("agreesContraception", on=ago(400)))
case("a man does not agree", "I09b I09c fail", MAN, said("agreesContraception", False))
case("planned dates do no harm", "I02b pass", event("leukapheresis", ago(-10)), given("rx:8640", ago(3), 10))

# Codes and forms, a record each

case("a class code of antimalarials", "I03b unknown", drug("atc:P01BA", "2015", "2016"), COMPLETE)
case("titre of 80", "I05 pass", lab("anaTiter", 80, "{titer}"))
case(
    "a limit that is not of the normal range",
    "I06c unknown",
    AST,
    {
        **lab("alt", 30, "U/L"),
        "referenceRange": [
            {"high": {"value": 40, "code": "U/L", "unit": "U/L"}, "type": {"coding": [{"code": "treatment"}]}}
        ],
    },
)
case("an integer score", "I04 pass", observation("local:sledai2kTotal", ago(3), valueInteger=7))
case(
    "items as components",
    "I04 pass",
    {
        **observation("local:sledai2kTotal", ago(3)),
        "component": [{"code": concept("local:sledai2k:seizure"), "valueBoolean": True}],
    },
)
case("ejection fraction by echocardiography", "I06a pass", {**lab("lvef", 60, "%"), "method": concept("sct:40701008")})
case("saturation with oxygen", "I06e fail", lab("spo2", 98, "%"), said("supplementalOxygen", True, on=ago(6)))
case("a score below seven", "I04 fail", {**score("sledai2kTotal", 7), "valueQuantity": quantity(7, "{score}", "<")})
