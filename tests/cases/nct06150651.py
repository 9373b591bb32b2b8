"""Cases of NCT06150651 (PiggyBac CD19 CAR-T in refractory lupus): inclusion criteria only."""

from __future__ import annotations

from caselib import (
    INTRAVENOUS,
    ORAL,
    POSITIVE,
    Suite,
    ago,
    attest,
    biopsy,
    complete,
    consent,
    diagnosis,
    drug,
    example,
    given,
    items,
    lab,
    order,
    person,
    result,
    said,
    score,
)

TRIAL = "NCT06150651"
suite = Suite(TRIAL)
case = suite.case
OTHERWISE = {"A0-05": "mofetil-only", "A0-08": "exactly-both", "A0-11": "not-dated"}
WHOLE_LIST = {"A0-03": "whole-list"}
SLEDAI_ALONE = {"A0-07": "sledai-alone"}
"""Ambiguities read the other way; the two that share row I03.1 each alone."""
HCQ, MMF, MPA, AZA, CYC = "rx:5521", "rx:68149", "rx:7145", "rx:1256", "rx:3002"
PREDNISOLONE, PREDNISONE = "rx:8638", "rx:8640"
COMPLETE = complete("medications")
MAN = person(sex="male")

# The whole trial

case(
    "everything known and in order",
    "I01 I02 I03 I03.1 I03.1a I03.1b1 I03.1c1 I03.1c2 I03.1d I04 I05 pass",
    example("c-01"),
    whole={"verdict": "eligible", "earliest_eligible": "2026-11-21", "source_complete": False},
)
case(
    "nothing known",
    "I01 I02 I02a I02b I02c I03 I03.1 I03.1a I03.1b1 I03.1b2 I03.1c1 I03.1c2 I03.1d I03.2 I03.2a I03.2b I03.2c I03.2d"
    " I03.3 I03.3a I03.3b I03.3c I03.3d I03.3e I03.3f I04 I05 unknown",
    person(birth=None, sex=None),
    whole={"verdict": "undetermined", "nothing_against": False},
    rows={"I04": {"open_kind": "agreement"}, "I03.1c2": {"open_kind": "test"}, "I02a": {"open_kind": "data"}},
)
case(
    "nothing done in complete records",
    "I03 I03.1 I03.1a I03.1b1 I03.1b2 I03.1c1 I03.1d I03.2 I03.2a I03.2b I03.2c I03.2d I03.3 I03.3e I03.3f fail",
    complete(),
    score("sledai2kTotal", 4),
)

# I01, I02

case("eighteen today", "I01 pass", person(birth="2008-11-21"))
case("eighteen tomorrow", "I01 fail", person(birth="2008-11-22"), rows={"I01": {"passes_from": "2026-11-22"}})
case("sixty for a day more", "I01 pass", person(birth="1965-11-22"), rows={"I01": {"valid_until": "2026-11-21"}})
case("sixty-one today", "I01 fail", person(birth="1965-11-21"))
case("sixty when consent was signed", "I01 pass", person(birth="1965-11-21"), consent(TRIAL, on=ago(1)))
SLE = diagnosis("sct:55464009", onset="2018-03-01")
case("lupus by ACR 1997", "I02 I02a pass, I02b I02c unknown", SLE, said("acr1997", on="2018-03-01"))
case("lupus by SLICC 2012", "I02 I02b pass", SLE, said("slicc2012", on="2018-03-01"))
case("lupus by EULAR/ACR 2019", "I02 I02c pass", SLE, said("eularAcr2019", on="2018-03-01"))
case(
    "no set of criteria met",
    "I02 I02a I02b I02c fail",
    SLE,
    [said(name, False, on="2018-03-01") for name in ("acr1997", "slicc2012", "eularAcr2019")],
)
case("a diagnosis without classification", "I02 unknown", SLE)
case("a classification without diagnosis", "I02 unknown, I02a pass", said("acr1997", on="2018-03-01"))
case("SLICC points alone", "I02b unknown", SLE, score("slicc2012", 8))
case("SLICC items", "I02b pass", SLE, items("slicc2012", "acuteCutaneous synovitis ana antiDsDNA"))
case(
    "lupus refuted",
    "I02 I02a I02b I02c fail",
    diagnosis("sct:55464009", onset="2018", verification="refuted"),
    score("acr1997", 8),
    score("eularAcr2019", 30),
    result("ana", POSITIVE),
)
case(
    "lupus provisional",
    "I02 unknown",
    said("acr1997", on="2018-03-01"),
    diagnosis("sct:55464009", onset="2018", verification="provisional"),
)
case("a lupus code of ICD-10", "I02 pass", diagnosis("icd:M32.14", onset="2018"), said("acr1997", on="2018-03-01"))
case(
    "drug-induced lupus",
    "I02 fail",
    diagnosis("icd:M32.0", onset="2018"),
    complete("conditions"),
    said("acr1997", on="2018-03-01"),
)

# I03.1 active under maintenance

BASE = r"medicationCodeableConcept|sledai2kTotal|MedicationStatement"
DRUGS = [drug(HCQ, "2020-01-01", dose=200, times=2), drug(MMF, "2020-01-01", dose=750, times=2)]
STEROID = drug(PREDNISOLONE, "2020-01-01", dose="7.5")
ACTIVE, QUIET = score("sledai2kTotal", 8), score("sledai2kTotal", 7)
case(
    "drugs and 7.5 mg",
    "I03.1 I03.1c1 I03 pass, I03.1c2 fail",
    DRUGS,
    STEROID,
    QUIET,
    rows={"I03.1c2": {"decisive": False}},
)
case(
    "drugs and 7.4 mg",
    "I03.1c1 fail, I03.1 fail",
    DRUGS,
    drug(PREDNISOLONE, "2020-01-01", dose="7.4"),
    QUIET,
    COMPLETE,
    rows={"I03.1c1": {"decisive": True}},
)
case("6 mg methylprednisolone are 7.5 mg", "I03.1c1 pass", drug("rx:6902", "2020-01-01", dose=6))
case(
    "two glucocorticoids add up",
    "I03.1c1 pass",
    drug(PREDNISOLONE, "2020-01-01", dose=5),
    drug("rx:6902", "2020-01-01", dose=2),
)
case("every other day halves the dose", "I03.1c1 fail", drug(PREDNISOLONE, "2020-01-01", dose=10, days=2), COMPLETE)
case("7.4 mg in an incomplete record", "I03.1c1 unknown", drug(PREDNISOLONE, "2020-01-01", dose="7.4"))
case("7.5 mg until yesterday", "I03.1c1 fail", drug(PREDNISOLONE, "2020-01-01", ago(1), dose="7.5"), COMPLETE)
case(
    "7.5 mg ordered",
    "I03.1c1 unknown",
    order(PREDNISOLONE, "2026-01-01", "7.5"),
    COMPLETE,
    rows={"I03.1c1": {"evidence": "ordered"}},
)
case("inhaled glucocorticoid", "I03.1c1 fail", drug("atc:R03BA02", "2020-01-01", dose=20), COMPLETE)
case(
    "drugs and SLEDAI-2K 8",
    "I03.1 I03.1c2 pass, I03.1c1 fail",
    DRUGS,
    ACTIVE,
    COMPLETE,
    rows={"I03.1c1": {"decisive": False}},
)
case("SLEDAI-2K 7", "I03.1c2 fail", QUIET)
case("SLEDAI-2K of 29 days", "I03.1c2 unknown", score("sledai2kTotal", 9, on=ago(29)))
case("antimalarial ongoing", "I03.1a pass", drug("atc:P01BA01", "2020-01-01"))
case("antimalarial up to a planned end", "I03.1a pass", drug(HCQ, "2020-01-01", ago(-30), status="active"))
case("antimalarial stopped before its planned end", "I03.1a unknown", drug(HCQ, "2020-01-01", ago(-30)), COMPLETE)
case(
    "antimalarial ongoing, and stopped later",
    "I03.1a unknown",
    drug(HCQ, "2020-01-01"),
    drug(HCQ, "2020-01-01", status="stopped"),
    COMPLETE,
)
case(
    "antimalarial ongoing again",
    "I03.1a pass",
    drug(HCQ, "2026-01-01"),
    drug(HCQ, "2020-01-01", status="completed"),
)
case("antimalarial ended", "I03.1a fail", drug(HCQ, "2020-01-01", ago(1)), complete("medications", "statements"))
case(
    "antimalarial contraindicated",
    "I03.1a pass",
    said("contraindication:hydroxychloroquine"),
    rows={"I03.1a": {"flags": "exception"}},
)
case("no contraindication", "I03.1a fail", complete("medications", "statements"))
case("1500 mg of mofetil", "I03.1b1 pass", drug(MMF, "2020-01-01", dose=750, times=2))
case("1499 mg of mofetil", "I03.1b1 fail", drug(MMF, "2020-01-01", dose=1499), COMPLETE)
case(
    "1080 mg of mycophenolic acid",
    "I03.1b1 pass",
    drug(MPA, "2020-01-01", dose=540, times=2),
    COMPLETE,
    others={"I03.1b1": {"A0-05/mofetil-only": "fail"}},
)
case("1079 mg of mycophenolic acid", "I03.1b1 fail", drug(MPA, "2020-01-01", dose=1079), COMPLETE)
case(
    "1500 mg of a code that does not tell",
    "I03.1b1 pass",
    drug("atc:L04AA06", "2020-01-01", dose=1500),
    COMPLETE,
    others={"I03.1b1": {"A0-05/mofetil-only": "unknown"}},
)
case("1080 mg of a code that does not tell", "I03.1b1 unknown", drug("atc:L04AA06", "2020-01-01", dose=1080), COMPLETE)
case("mofetil of unknown dose", "I03.1b1 unknown", drug(MMF, "2020-01-01"), COMPLETE)
case("1500 mg of mofetil, mofetil alone counts", "I03.1b1 pass", drug(MMF, "2020-01-01", dose=1500), readings=OTHERWISE)
case(
    "1499 mg of mofetil, mofetil alone counts",
    "I03.1b1 fail",
    drug(MMF, "2020-01-01", dose=1499),
    COMPLETE,
    readings=OTHERWISE,
)
case(
    "mycophenolic acid, mofetil alone counts",
    "I03.1b1 fail",
    drug(MPA, "2020-01-01", dose=1440),
    COMPLETE,
    readings=OTHERWISE,
)
KILOS = lab("weight", 60, "kg")
case("1.5 mg/kg azathioprine", "I03.1b2 pass", KILOS, drug(AZA, "2020-01-01", dose=90))
case("1.49 mg/kg azathioprine", "I03.1b2 fail", KILOS, drug(AZA, "2020-01-01", dose=89), COMPLETE)
case(
    "1.5 mg/kg azathioprine as ordered per kilogram", "I03.1b2 pass", drug(AZA, "2020-01-01", dose="1.5", unit="mg/kg")
)
case("azathioprine without weight", "I03.1b2 unknown", drug(AZA, "2020-01-01", dose=90), COMPLETE)
case(
    "azathioprine and too little mofetil",
    "I03.1 I03.1b2 pass, I03.1b1 fail",
    KILOS,
    DRUGS[0],
    STEROID,
    drug(AZA, "2020-01-01", dose=90),
    drug(MMF, "2020-01-01", dose=500),
    COMPLETE,
)
case(
    "both immunosuppressants contraindicated",
    "I03.1 I03.1d pass, I03.1b1 fail",
    DRUGS[0],
    STEROID,
    COMPLETE,
    said("contraindication:mycophenolateMofetil"),
    said("contraindication:azathioprine"),
)
ONE_OUT = [DRUGS[0], STEROID, complete("medications", "statements"), said("contraindication:azathioprine")]
case(
    "one immunosuppressant contraindicated",
    "I03.1 I03.1d fail",
    ONE_OUT,
    others={"I03.1": {"A0-03/whole-list": "pass", "A0-07/sledai-alone": "unknown"}},
)
case("one immunosuppressant contraindicated, whole list", "I03.1 pass", ONE_OUT, readings=WHOLE_LIST)
case(
    "nothing contraindicated, whole list",
    "I03.1 fail",
    DRUGS[0],
    STEROID,
    complete("medications", "statements"),
    readings=WHOLE_LIST,
)
for key in ("hydroxychloroquine", "mycophenolateMofetil"):
    case(
        f"{key} contraindicated, whole list",
        "I03.1 pass",
        STEROID,
        said(f"contraindication:{key}"),
        readings=WHOLE_LIST,
    )
case("maintained, whole list", "I03.1 pass", DRUGS, STEROID, readings=WHOLE_LIST)
case(
    "both immunosuppressants contraindicated, whole list, no steroid",
    "I03.1 fail",
    DRUGS[0],
    QUIET,
    complete("medications", "statements"),
    said("contraindication:azathioprine"),
    readings=WHOLE_LIST,
)
UNTREATED = [ACTIVE, complete("medications", "statements")]
case(
    "active without drugs",
    "I03.1 fail",
    UNTREATED,
    others={"I03.1": {"A0-07/sledai-alone": "pass"}, "I03": {"A0-07/sledai-alone": "pass"}},
)
case("active without drugs, SLEDAI alone", "I03.1 I03 pass", UNTREATED, readings=SLEDAI_ALONE)
case("quiet with drugs and steroid, SLEDAI alone", "I03.1 pass", DRUGS, STEROID, QUIET, readings=SLEDAI_ALONE)
case("quiet with drugs, SLEDAI alone", "I03.1 fail", DRUGS, QUIET, COMPLETE, readings=SLEDAI_ALONE)
case("persistently active", "I03.1d pass", DRUGS, STEROID)
case("persistently active under azathioprine", "I03.1d pass", DRUGS[0], drug(AZA, "2020-01-01"), STEROID)
case("active without antimalarial", "I03.1d fail", DRUGS[1], STEROID, complete("medications", "statements"))
case(
    "active, immunosuppressant ended",
    "I03.1d fail",
    DRUGS[0],
    STEROID,
    drug(MMF, "2020-01-01", ago(1), dose=2000),
    complete("medications", "statements"),
)
case("I03.1 attested", "I03.1 I03 pass", attest(f"{TRIAL}/I03.1", True))

# I03.2 nephritis after two inductions

CYCLO = drug(CYC, "2024-01-01", "2024-02-12", dose=500, days=14, route=INTRAVENOUS)
MYCO = drug(MMF, "2024-03-01", "2024-06-01", dose=2000)
CLASS_IV = biopsy("2024-06-15", "IV")
case("class IV after both", "I03.2 I03.2a I03.2b I03.2c I03.2d I03 pass, I03.2e not-applicable", CLASS_IV, CYCLO, MYCO)
case("class III+V", "I03.2a pass", biopsy("2015-06-15", "III+V"))
case("class V", "I03.2a fail", biopsy("2024-06-15", "V"), complete())
case("class V in an incomplete record", "I03.2a unknown", biopsy("2024-06-15", "V"))
case("no biopsy", "I03.2a fail", complete("procedures"))
case(
    "1.5 g of cyclophosphamide",
    "I03.2c pass",
    [given(CYC, f"2024-0{month}-01", 500, route=INTRAVENOUS) for month in (1, 2, 3)],
)
case(
    "1.499 g of cyclophosphamide",
    "I03.2c fail",
    COMPLETE,
    [given(CYC, f"2024-0{month}-01", dose, route=INTRAVENOUS) for month, dose in ((1, 500), (2, 500), (3, 499))],
)
case(
    "1 g of cyclophosphamide known",
    "I03.2c unknown",
    [given(CYC, f"2024-0{month}-01", 500, route=INTRAVENOUS) for month in (1, 2)],
)
case("oral cyclophosphamide", "I03.2c fail", drug(CYC, "2024-01-01", "2024-06-01", dose=100, route=ORAL), COMPLETE)
case("cyclophosphamide of unknown route", "I03.2c unknown", drug(CYC, "2024-01-01", "2024-06-01", dose=100), COMPLETE)
case(
    "three grams in two courses",
    "I03.2c pass",
    CYCLO,
    drug(CYC, "2025-01-01", "2025-02-12", dose=500, days=14, route=INTRAVENOUS),
)
case("mofetil for 92 days", "I03.2d pass", MYCO)
case("mofetil for 91 days", "I03.2d unknown", drug(MMF, "2024-03-01", "2024-05-31"), COMPLETE)
case("mofetil for 88 days", "I03.2d fail", drug(MMF, "2024-03-01", "2024-05-28"), COMPLETE)
case("mofetil for 88 days known", "I03.2d unknown", drug(MMF, "2024-03-01", "2024-05-28"))
case(
    "mofetil with a gap of 30 days",
    "I03.2d pass",
    drug(MMF, "2024-03-01", "2024-04-01"),
    drug(MMF, "2024-05-01", "2024-06-01"),
    COMPLETE,
)
case(
    "mofetil with a gap of 31 days",
    "I03.2d fail",
    drug(MMF, "2024-03-01", "2024-04-01"),
    drug(MMF, "2024-05-02", "2024-06-01"),
    COMPLETE,
)
case(
    "cyclophosphamide contraindicated",
    "I03.2 I03.2b I03.2e pass, I03.2c fail",
    CLASS_IV,
    MYCO,
    complete("medications"),
    said("contraindication:cyclophosphamide"),
    rows={"I03.2": {"flags": "exception"}},
)
case(
    "mycophenolate contraindicated",
    "I03.2 I03.2b I03.2e pass, I03.2d fail",
    CLASS_IV,
    CYCLO,
    complete("medications"),
    said("contraindication:mycophenolateMofetil"),
    others={
        "I03.2b": {"A0-08/exactly-both": "fail"},
        "I03.2": {"A0-08/exactly-both": "fail"},
        "I03": {"A0-08/exactly-both": "unknown"},
    },
)
case("one induction only", "I03.2 I03.2b fail", CLASS_IV, CYCLO, complete())
case("inductions unknown", "I03.2 I03.2b unknown", CLASS_IV)
case(
    "cyclophosphamide alone, exactly both",
    "I03.2b fail",
    CYCLO,
    COMPLETE,
    said("contraindication:mycophenolateMofetil"),
    readings=OTHERWISE,
)
case("both, exactly both", "I03.2b pass", CYCLO, MYCO, readings=OTHERWISE)
case("no exception claimed", "I03.2e not-applicable", said("contraindication:cyclophosphamide", False))
case(
    "an exception attested false",
    "I03.2e unknown",
    said("contraindication:cyclophosphamide"),
    attest(f"{TRIAL}/I03.2e", False),
)

# I03.3 worsening nephritis

RECENT = biopsy("2026-08-01", "IV", activity=7, chronicity=5)
WEIGHT = lab("weight", 60, "kg", on=ago(60))
HIGH = drug(PREDNISONE, ago(60), dose=42)
WITH = drug(MMF, ago(60), dose=2000)
WORSE = [lab("upcr", 500, "mg/g{creat}", on=ago(62)), lab("upcr", 900, "mg/g{creat}", on=ago(5))]
case(
    "worsening in spite of everything",
    "I03.3 I03.3a I03.3b I03.3c I03.3d I03.3e I03.3f I03 pass",
    RECENT,
    WEIGHT,
    HIGH,
    WITH,
    WORSE,
    rows={"I03.3d": {"flags": "review"}, "I03.3c": {"valid_until": "2027-02-01"}},
)
case("activity 6", "I03.3a fail", biopsy("2026-08-01", "IV", activity=6))
case("activity 7", "I03.3a pass", biopsy("2026-08-01", "IV", activity=7))
case("chronicity 6", "I03.3b fail", biopsy("2026-08-01", "IV", chronicity=6))
case("chronicity 5", "I03.3b pass", biopsy("2026-08-01", "IV", chronicity=5))
case(
    "the later biopsy counts",
    "I03.3a fail",
    biopsy("2026-07-01", "IV", activity=9),
    biopsy("2026-08-01", "IV", activity=5),
)
case("biopsy six months ago", "I03.3c pass", biopsy("2026-05-21", "IV"), rows={"I03.3c": {"valid_until": "2026-11-21"}})
case(
    "biopsy six months and a day ago",
    "I03.3c fail",
    biopsy("2026-05-20", "IV"),
    complete("procedures"),
    rows={"I03.3c": {"passes_from": None}},
    others={"I03.3c": {"A0-11/not-dated": "unknown"}},
)
case("biopsy of that month", "I03.3c unknown", biopsy("2026-05", "IV"), complete("procedures"))
case(
    "biopsy not dated",
    "I03.3c unknown",
    biopsy("2020-05-20", "IV"),
    complete("procedures"),
    readings=OTHERWISE,
    rows={"I03.3c": {"needs_judgement": True}},
)
case(
    "proteinuria steady and filtration steady",
    "I03.3d fail",
    WEIGHT,
    HIGH,
    WITH,
    COMPLETE,
    lab("upcr", 500, "mg/g{creat}", on=ago(62)),
    lab("upcr", 500, "mg/g{creat}", on=ago(5)),
    lab("egfr", 80, "mL/min/{1.73_m2}", on=ago(62)),
    lab("egfr", 80, "mL/min/{1.73_m2}", on=ago(5)),
)
case(
    "filtration fell",
    "I03.3d pass",
    WEIGHT,
    HIGH,
    WITH,
    lab("egfr", 80, "mL/min/{1.73_m2}", on=ago(62)),
    lab("egfr", 79, "mL/min/{1.73_m2}", on=ago(5)),
)
case(
    "proteinuria steady, filtration not known",
    "I03.3d unknown",
    WEIGHT,
    HIGH,
    WITH,
    lab("upcr", 500, "mg/g{creat}", on=ago(62)),
    lab("upcr", 500, "mg/g{creat}", on=ago(5)),
)
case(
    "0.7 mg/kg for 14 days with mofetil",
    "I03.3e I03.3f pass",
    WEIGHT,
    drug(PREDNISONE, ago(60), ago(47), 42),
    drug(MMF, ago(60), ago(47)),
)
case(
    "0.7 mg/kg for 13 days with mofetil",
    "I03.3e I03.3f fail",
    WEIGHT,
    drug(PREDNISONE, ago(60), ago(48), 42),
    drug(MMF, ago(60), ago(48)),
    COMPLETE,
)
case(
    "0.69 mg/kg with mofetil",
    "I03.3e fail, I03.3f pass",
    WEIGHT,
    drug(PREDNISONE, ago(60), ago(40), "41.9"),
    drug(MMF, ago(60), ago(40)),
    COMPLETE,
)
case("0.7 mg/kg without mofetil", "I03.3e I03.3f fail", WEIGHT, drug(PREDNISONE, ago(60), ago(40), 42), COMPLETE)
case(
    "0.7 mg/kg and mofetil overlap for 13 days",
    "I03.3e fail, I03.3f pass",
    WEIGHT,
    COMPLETE,
    drug(PREDNISONE, ago(60), ago(40), 42),
    drug(MMF, ago(52), ago(20)),
)
case(
    "0.7 mg/kg and pulses 35 days apart",
    "I03.3e pass",
    WEIGHT,
    drug(PREDNISONE, ago(60), ago(40), 42),
    [given(CYC, ago(day), 500, route=INTRAVENOUS) for day in (75, 40)],
    COMPLETE,
)
case(
    "0.7 mg/kg and pulses 36 days apart",
    "I03.3e fail",
    WEIGHT,
    drug(PREDNISONE, ago(60), ago(40), 42),
    [given(CYC, ago(day), 500, route=INTRAVENOUS) for day in (76, 40)],
    COMPLETE,
)
case(
    "high dose more than six months ago",
    "I03.3e I03.3f fail",
    WEIGHT,
    COMPLETE,
    drug(PREDNISONE, "2026-04-20", "2026-05-20", 42),
    drug(MMF, "2026-04-20", "2026-05-20"),
)
case(
    "high dose until six months ago",
    "I03.3e I03.3f pass",
    WEIGHT,
    COMPLETE,
    drug(PREDNISONE, "2026-04-20", "2026-05-21", 42),
    drug(MMF, "2026-04-20", "2026-05-21"),
)
case("mofetil with a gap of 7 days", "I03.3f pass", drug(MMF, ago(60), ago(57)), drug(MMF, ago(50), ago(47)), COMPLETE)
case("mofetil with a gap of 8 days", "I03.3f fail", drug(MMF, ago(60), ago(57)), drug(MMF, ago(49), ago(44)), COMPLETE)
case(
    "cyclophosphamide pulses over 14 days",
    "I03.3f pass",
    [given(CYC, ago(day), 500, route=INTRAVENOUS) for day in (60, 47)],
)
case("a first pulse 12 days ago", "I03.3f unknown", given(CYC, ago(12), 500, route=INTRAVENOUS))

case("mofetil for 89 days", "I03.2d unknown", drug(MMF, "2024-03-01", "2024-05-29"), COMPLETE)
TWICE = [drug(MMF, "2020-01-01", "2020-03-01"), drug(MMF, "2024-01-01", "2024-03-01")]
case("mofetil twice for 60 days, years apart", "I03.2d fail", TWICE, COMPLETE)
case("mofetil twice for 60 days known", "I03.2d unknown", TWICE)
case(
    "mofetil for 50 and 52 days with a gap of 40 days",
    "I03.2d fail",
    drug(MMF, "2018-05-01", "2018-06-20"),
    drug(MMF, "2018-07-30", "2018-09-20"),
    COMPLETE,
)
case(
    "mofetil for 20 days, and years later for 92",
    "I03.2d pass",
    drug(MMF, "2018-05-01", "2018-05-21"),
    MYCO,
)
for weight, status in ((60, "pass"), ("60.4", "fail")):
    case(
        f"90 mg azathioprine for {weight} kg",
        f"I03.1b2 {status}",
        lab("weight", weight, "kg"),
        COMPLETE,
        drug(AZA, "2020-01-01", dose=90),
    )
case("SLEDAI-2K of 28 days", "I03.1c2 pass", score("sledai2kTotal", 9, on=ago(28)))
PROTEINURIA = [lab("upcr", 500, "mg/g{creat}", on=day) for day in ("2026-04-19",)]
FLAGGED = {"I03.3d": {"flags": "review"}}
QUIET_FLAG = {"I03.3d": {"flags": ""}}
case(
    "worsening after 0.69 mg/kg",
    "I03.3d unknown",
    WEIGHT,
    drug(PREDNISONE, ago(60), dose="41.9"),
    WITH,
    WORSE,
    rows=QUIET_FLAG,
)
for days, status, rows in ((35, "pass", FLAGGED), (36, "unknown", QUIET_FLAG)):
    case(
        f"worsening after a fortnight of pulses {days} days apart",
        f"I03.3d {status}",
        WEIGHT,
        WORSE,
        drug(PREDNISONE, ago(60), ago(47), 42),
        [given(CYC, ago(day), 500, route=INTRAVENOUS) for day in (47 + days - 8, 39)],
        rows=rows,
    )
for end, status, rows in (("2026-05-21", "pass", FLAGGED), ("2026-05-20", "unknown", QUIET_FLAG)):
    case(
        f"worsening after a high dose until {end}",
        f"I03.3d {status}",
        WEIGHT,
        lab("upcr", 500, "mg/g{creat}", on="2026-04-19"),
        lab("upcr", 900, "mg/g{creat}", on=ago(5)),
        drug(PREDNISONE, "2026-04-20", end, 42),
        drug(MMF, "2026-04-20", end),
        rows=rows,
    )


def pulses(*days: int) -> list[object]:
    """Cyclophosphamide so many days before screening."""
    return [given(CYC, ago(day), 500, route=INTRAVENOUS) for day in days]


case("pulses 35 days apart", "I03.3f pass", pulses(80, 45))
case("pulses 36 days apart", "I03.3f unknown", pulses(81, 45))
case("pulses 12 days apart", "I03.3f unknown", pulses(60, 48))
case(
    "two courses of cyclophosphamide 36 days apart",
    "I03.3f unknown",
    drug(CYC, ago(100), ago(93)),
    drug(CYC, ago(57), ago(50)),
)
case("cyclophosphamide until six months ago", "I03.3f pass", drug(CYC, "2026-05-01", "2026-05-21"))
case(
    "cyclophosphamide until six months and a day ago", "I03.3f unknown", drug(CYC, "2026-05-01", "2026-05-20"), COMPLETE
)
case("a pulse that could reach into the six months", "I03.3f unknown", drug(CYC, "2026-03-01", "2026-04-16"), COMPLETE)
case("a pulse that could not", "I03.3f fail", drug(CYC, "2026-03-01", "2026-04-15"), COMPLETE)

# I04, I05

case("consent", "I04 pass", consent(TRIAL))
case("consent attested false", "I04 fail", attest(f"{TRIAL}/I04", False))
case("a woman agrees", "I05 pass", said("agreesContraception"))
case("a woman does not agree", "I05 fail", said("agreesContraception", False))
case("a woman of 55", "I05 not-applicable", person(birth="1971-11-21"))
case("a woman of 54", "I05 unknown", person(birth="1971-11-22"))
case(
    "a woman of 55 with childbearing potential",
    "I05 unknown",
    person(birth="1971-11-21"),
    said("childbearingPotential"),
)
case("a man of 59", "I05 unknown", person("1967-01-01", "male"))
case("a sterilised man", "I05 not-applicable", MAN, said("sterilised"))
case("a woman after menopause", "I05 not-applicable", said("postmenopausal"))
case("a man agrees", "I05 pass", MAN, said("agreesContraception"))

# Doses and codes, a record each

for code, dose, days, status in (
    (PREDNISOLONE, "52.5", 7, "pass"),
    ("rx:3264", "1.125", 1, "pass"),
    ("rx:22396", 9, 1, "pass"),
    ("rx:22396", "8.9", 1, "fail"),
):
    case(f"{dose} mg of {code} in {days} days", f"I03.1c1 {status}", drug(code, "2020", dose=dose, days=days), COMPLETE)
case("a gram of mofetil twice a day", "I03.1b1 pass", drug(MMF, "2020", dose=1, unit="g", times=2))
case(
    "cyclophosphamide per kilogram",
    "I03.2c pass",
    lab("weight", 60, "kg", on="2024-01-01"),
    [given(CYC, day, 15, unit="mg/kg", route=INTRAVENOUS) for day in ("2024-01-01", "2024-02-01")],
)
case("cyclophosphamide of no dose", "I03.2c unknown", given(CYC, "2024-01-01", route=INTRAVENOUS), COMPLETE)
case("nephritis of no class", "I03.2a unknown", diagnosis("icd:M32.14", onset="2020"), complete("conditions"))
