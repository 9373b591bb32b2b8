"""Cases of NCT06106906 (CD19 CAR-T in active lupus): inclusion and exclusion criteria."""

from __future__ import annotations

from caselib import (
    INTRAVENOUS,
    NEGATIVE,
    POSITIVE,
    Suite,
    ago,
    allergy,
    attest,
    complete,
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
    procedure,
    result,
    said,
    score,
    vaccine,
)

TRIAL = "NCT06106906"
suite = Suite(TRIAL)
case = suite.case
MAN = person(sex="male")
PAST = {"leukapheresis": ago(5), "infusion": ago(0), "lymphodepletion": ago(3)}
OTHERWISE = {
    "events": PAST,
    "readings": {
        "A1-05": "any-sledai",
        "A1-06": "cumulative",
        "A1-11": "active-ideation",
        "A1-15": "any-skin-disease",
        "A1-20": "antigen-and-dna",
        "A1-24": "any-serology",
        "A1-31": "broad",
        "A1-32": "any-dose",
        "A1-39": "except-skin-in-situ",
    },
}
"""Every ambiguity read the other way, with the three procedures just behind the patient."""

# The whole trial

case(
    "everything known and in order",
    "I01a I02 I03 I04a I05 I06 I07a E01 E02 E21 E22 E32 pass, E31d not-applicable",
    example("b-01"),
    whole={"verdict": "eligible", "nothing_against": True, "earliest_eligible": "2026-11-21", "source_complete": True},
)
case(
    "nothing known",
    "I01a I01b I02 I03 I04a I04b I05 I05a I05b I06 I07a I07b E01 E02 E02a E02b E02c E03a E03b E03c E04 E05 E06a E06b"
    " E07 E08a E08b E09a E09b E09c E10 E11a E11b E11c E11d E11e E11f E12 E13a E13b E13c E13d E13e E13f E14a E14b E15"
    " E16 E17 E18 E19a E19b E20a E20b E21 E22 E23 E24a E24b E25 E26a E26b E26c E27a E27b E27c E27d E28a E28b E29 E30a"
    " E30b E31a E31b E31c E31d E32 E33a E33b unknown, I02b pass",
    person(birth=None, sex=None),
    whole={"verdict": "undetermined", "nothing_against": False},
    rows={
        "E13a": {"needs_judgement": True, "open_kind": "judgement"},
        "E11b": {"open_kind": "test"},
        "E21": {"open_kind": "data"},
        "E27d": {"open_kind": "agreement"},
        "I01a": {"open_kind": "agreement"},
    },
)
case(
    "complete records with nothing in them",
    "E02 E03b E03c E08a E08b E09a E09b E09c E12 E14a E19a E20a E20b E21 E22 E23 E27c E28a E28b E30a E30b E31a E31b"
    " E31c E32 pass, E04 E06a E06b E07 E10 E15 E16 E18 E29 unknown, I06 fail",
    complete(),
    result("igra", NEGATIVE),
)
case(
    "completeness by the command line",
    "E08a E19a E32 pass",
    complete=("conditions", "immunizations", "procedures"),
)
case(
    "two weeks of waiting for two rows",
    "E09a E19a fail",
    example("b-01", procedure("sct:20720000", ago(4)), vaccine("cvx:03", ago(20))),
    whole={"verdict": "ineligible", "earliest_eligible": ago(-11)},
    rows={"E09a": {"passes_from": ago(-11)}, "E19a": {"passes_from": ago(-9)}},
)
case(
    "waiting is of no use where history excludes",
    "E19a E32 fail",
    example("b-01", vaccine("cvx:03", ago(20)), diagnosis("icd:C50.9", onset="2015"), without=r"attest:\w+/E32"),
    whole={"verdict": "ineligible", "earliest_eligible": None},
    rows={"E32": {"passes_from": None}},
)

# I01, I02, I03

case("consent", "I01a pass", consent(TRIAL))
case("consent attested false", "I01a fail", attest(f"{TRIAL}/I01a", False))
case("consent not bound", "I01a unknown", consent(None), rows={"I01a": {"reason": "Consent/"}})
case("eighteen today", "I02 pass", person(birth="2008-11-21"))
case("eighteen tomorrow", "I02 fail", person(birth="2008-11-22"), rows={"I02": {"passes_from": "2026-11-22"}})
case("seventy for a day more", "I02 pass", person(birth="1955-11-22"), rows={"I02": {"valid_until": "2026-11-21"}})
case("seventy-one today", "I02 fail", person(birth="1955-11-21"), rows={"I02": {"passes_from": None}})
case("seventy-one this year", "I02 unknown", person(birth="1955"))
case("weight 40", "I03 pass", lab("weight", 40, "kg"), rows={"I03": {"valid_until": ago(6 - 90)}})
case("weight 39.9", "I03 fail", lab("weight", "39.9", "kg"))
case("a weight that is none", "I03 unknown", lab("weight", 0, "kg"))
case(
    "a weight that is none after a true one",
    "I03 unknown",
    lab("weight", 45, "kg", on=ago(9)),
    lab("weight", 0, "kg", on=ago(8)),
)
case("weight in pounds", "I03 pass", lab("weight", 100, "[lb_av]"))
case("weight in grams", "I03 fail", lab("weight", 39900, "g"))
case("weight of 90 days", "I03 pass", lab("weight", 40, "kg", on=ago(90)))
case("weight of 91 days", "I03 unknown", lab("weight", 40, "kg", on=ago(91)))
case("weight above 39", "I03 unknown", lab("weight", 39, "kg", comparator=">"))
case("a later weight wins", "I03 fail", lab("weight", 45, "kg", on=ago(9)), lab("weight", 39, "kg", on=ago(8)))
case("two weights of one day", "I03 unknown", lab("weight", 39, "kg"), lab("weight", 41, "kg"))

# I04 classification and its date

CONSENT = consent(TRIAL, on=ago(1))
case("classified 168 days before consent", "I04a I04b pass", CONSENT, said("acr1997", on=ago(169)))
case(
    "classified 167 days before consent",
    "I04a pass, I04b fail",
    CONSENT,
    said("acr1997", on=ago(168)),
    rows={"I04b": {"passes_from": None}},
)
case(
    "classified 167 days before screening, no consent yet",
    "I04b fail",
    said("acr1997", on=ago(167)),
    rows={"I04b": {"passes_from": ago(-1)}},
)
case("classified sometime in the month", "I04b unknown", said("acr1997", on="2026-06"))
case("not classified", "I04a fail", said("acr1997", False, on=ago(300)))
case("four points", "I04a pass", score("acr1997", 4, on=ago(300)))
case("three points", "I04a fail", score("acr1997", 3, on=ago(300)))
case("four items", "I04a pass", items("acr1997", "malarRash arthritis renalDisorder ana"))
case("three items known", "I04a unknown", items("acr1997", "malarRash arthritis ana"))
case(
    "three items of eleven",
    "I04a fail",
    items(
        "acr1997",
        "malarRash arthritis ana",
        "discoidRash photosensitivity oralUlcers serositis renalDisorder neurologicDisorder hematologicDisorder"
        " immunologicDisorder",
    ),
)
case("diagnosed by onset alone", "I04b unknown", diagnosis("sct:55464009", onset="2018-03-01"))
case("diagnosed by recorded date", "I04b pass", diagnosis("sct:55464009", recorded="2018-03-01"))
NEPHRITIS = "icd:M32.14"
case("nephritis that began last month", "I04b unknown", diagnosis(NEPHRITIS, onset=ago(30)))
case("nephritis recorded last month", "I04b unknown", diagnosis(NEPHRITIS, onset=ago(30), recorded=ago(30)))
case("nephritis recorded years ago", "I04b pass", diagnosis(NEPHRITIS, recorded="2018-03-01"))
case("lupus that began last month", "I04b fail", diagnosis("icd:M32.9", onset=ago(30)))
case("lupus recorded last month", "I04b fail", diagnosis("icd:M32.9", recorded=ago(30)))
case(
    "lupus of years and nephritis recorded last month",
    "I04b unknown",
    diagnosis("icd:M32.9", onset="2018-03-01"),
    diagnosis(NEPHRITIS, recorded=ago(30)),
)
case(
    "lupus refuted",
    "I04a fail",
    diagnosis("icd:M32.9", onset="2018", verification="refuted"),
    score("acr1997", 6, on=ago(300)),
)
case(
    "nephritis refuted is not lupus refuted",
    "I04a pass",
    diagnosis("icd:M32.14", onset="2018", verification="refuted"),
    score("acr1997", 6, on=ago(300)),
)

# I05 activity

case("SELENA-SLEDAI 6 and PGA 1", "I05 I05a I05b pass", score("selenaSledaiTotal", 6), score("pga", 1))
case("SELENA-SLEDAI 5", "I05a I05 fail, I05b unknown", score("selenaSledaiTotal", 5))
case("PGA 0.9", "I05b I05 fail", score("pga", "0.9"))
case("PGA of 34 mm", "I05b pass", score("pga", 34, unit="mm"))
case("PGA of 33 mm", "I05b fail", score("pga", 33, unit="mm"))
case("PGA beyond its scale", "I05b unknown", score("pga", "3.1"), whole={"unread": ["-1"]})
case(
    "SLEDAI-2K does not stand in",
    "I05a unknown",
    score("sledai2kTotal", 12),
    others={"I05a": {"A1-05/any-sledai": "pass"}},
    rows={"I05a": {"missing": "SELENA-SLEDAI"}},
)
case("SLEDAI-2K of 6 stands in", "I05a pass", score("sledai2kTotal", 6), **OTHERWISE)
case("SLEDAI-2K of 5 stands in", "I05a fail", score("sledai2kTotal", 5), **OTHERWISE)
case(
    "SLEDAI-2K serves only where no SELENA-SLEDAI is recorded",
    "I05a fail",
    score("selenaSledaiTotal", 5),
    score("sledai2kTotal", 12),
    **OTHERWISE,
)
case("SELENA-SLEDAI of 29 days", "I05a unknown", score("selenaSledaiTotal", 9, on=ago(29)))
case("SELENA-SLEDAI of 28 days", "I05a pass", score("selenaSledaiTotal", 9, on=ago(28)))
case("PGA of 28 days", "I05b pass", score("pga", 2, on=ago(28)))
case("PGA of 29 days", "I05b unknown", score("pga", 2, on=ago(29)))

# I06 standard treatment

COMPLETE = complete("medications")
case("standard treatment for 56 days", "I06 pass", drug("rx:5521", ago(56)))
case(
    "standard treatment for 55 days",
    "I06 fail",
    drug("rx:5521", ago(55)),
    COMPLETE,
    rows={"I06": {"passes_from": ago(-1)}},
)
case("standard treatment for 55 days known", "I06 unknown", drug("rx:5521", ago(55)))
case("ended seven days before", "I06 pass", drug("rx:8640", ago(70), ago(7)))
case(
    "ended eight days before",
    "I06 fail",
    drug("rx:8640", ago(70), ago(8)),
    COMPLETE,
    others={"I06": {"A1-06/cumulative": "pass"}},
)
case("a gap of seven days", "I06 pass", drug("rx:8640", ago(56), ago(30)), drug("rx:5521", ago(23)))
case("a gap of eight days", "I06 fail", drug("rx:8640", ago(56), ago(30)), drug("rx:5521", ago(22)), COMPLETE)
case("azathioprine for 56 days", "I06 pass", drug("rx:1256", ago(56)))
case("belimumab for 56 days", "I06 pass", drug("atc:L04AG04", ago(56)))
case("completed without an end", "I06 unknown", drug("rx:5521", ago(90), status="completed"), COMPLETE)
case(
    "56 days in pieces",
    "I06 pass",
    drug("rx:8640", "2020-01-01", "2020-01-29"),
    drug("rx:5521", "2021-01-01", "2021-01-29"),
    **OTHERWISE,
)
case(
    "55 days in pieces",
    "I06 fail",
    drug("rx:8640", "2020-01-01", "2020-01-29"),
    drug("rx:5521", "2021-01-01", "2021-01-28"),
    COMPLETE,
    **OTHERWISE,
)
case(
    "two pieces of which one begins the day after the other are one",
    "I06 pass",
    drug("rx:8640", "2020-01-01", "2020-01-29"),
    drug("rx:5521", "2020-01-30", "2020-02-26"),
    COMPLETE,
    **OTHERWISE,
)

case(
    "two pieces of 55 days parted by two days",
    "I06 fail",
    drug("rx:8640", "2020-01-01", "2020-01-29"),
    drug("rx:5521", "2020-01-31", "2020-02-27"),
    COMPLETE,
    **OTHERWISE,
)

# I07 pregnancy test and contraception

case("urine test negative", "I07a E31a pass", result("hcgUrine", NEGATIVE, on=ago(3)))
case("urine test positive", "I07a E31a fail", result("hcgUrine", POSITIVE, on=ago(3)))
case(
    "test of 14 days",
    "I07a E31a pass",
    result("hcgUrine", NEGATIVE, on=ago(14)),
    rows={"I07a": {"valid_until": "2026-11-21"}},
)
case("test of 15 days", "I07a E31a unknown", result("hcgUrine", NEGATIVE, on=ago(15)))
case(
    "serum and urine disagree",
    "I07a E31a unknown",
    result("hcgUrine", NEGATIVE, on=ago(3)),
    result("hcgSerum", POSITIVE, on=ago(3)),
)
case("a man", "I07a E31a E31b E31c not-applicable, E31d unknown", MAN)
case("a sterilised woman is tested all the same", "I07a unknown", said("sterilised"))
case("sex unknown", "I07a E31a E31d unknown", person(sex="other"))
case("agrees", "I07b pass", said("agreesContraception"))
case("does not agree", "I07b fail", said("agreesContraception", False))
case(
    "withdrew the agreement",
    "I07b fail",
    said("agreesContraception", on=ago(9)),
    said("agreesContraception", False, on=ago(2)),
)

# E01 hypersensitivity

case("allergy to prednisone", "E01 fail", allergy("rx:8640"))
case("allergy to azathioprine", "E01 fail", allergy("rx:1256"), rows={"E01": {"flags": "immunosuppressant"}})
case("intolerance of azathioprine", "E01 unknown", allergy("rx:1256", kind="intolerance"))
case("no known allergy", "E01 E14a pass", allergy("sct:716186003", kind=None))
case("no allergy in a complete record", "E01 pass", complete("allergies"))
case("allergy to belimumab only", "E01 pass", allergy("atc:L04AG04"), complete("allergies"))

# E02 severe nephritis

SEVERE = diagnosis("sct:68815009", onset=ago(40), severity="severe")
PULSE = drug("rx:8640", ago(40), ago(27), 100)
case("severe nephritis with 14 days of 100 mg", "E02 E02c fail", SEVERE, PULSE)
case("13 days of 100 mg", "E02c pass", SEVERE, drug("rx:8640", ago(40), ago(28), 100), COMPLETE)
case("14 days of 99.9 mg", "E02c pass", SEVERE, drug("rx:8640", ago(40), ago(27), "99.9"), COMPLETE)
case("14 days of 80 mg methylprednisolone", "E02c fail", drug("rx:6902", ago(40), ago(27), 80))
case("14 days of 100 mg that end 56 days before", "E02c fail", drug("rx:8640", ago(69), ago(56), 100))
case("14 days of 100 mg that end 57 days before", "E02c pass", drug("rx:8640", ago(70), ago(57), 100), COMPLETE)
case(
    "two neighbouring courses of seven days",
    "E02c fail",
    drug("rx:8640", ago(40), ago(34), 100),
    drug("rx:8640", ago(33), ago(27), 100),
)
case("14 days of 100 mg ordered", "E02c unknown", order("rx:8640", ago(40), 100), COMPLETE)
case("14 days of an unknown dose", "E02c unknown", drug("rx:8640", ago(40), ago(27)), COMPLETE)
case("severe nephritis on haemodialysis", "E02 E02b fail", SEVERE, procedure("sct:302497006", ago(56)))
case("haemodialysis 57 days ago", "E02b pass", procedure("sct:302497006", ago(57)), complete("procedures"))
case("haemodialysis by ICD-10", "E02b fail", diagnosis("icd:Z99.2", onset=ago(40)))
case("severe nephritis and nothing else", "E02 unknown", SEVERE)
case("severe nephritis and none of the three", "E02 pass", SEVERE, complete(), attest(f"{TRIAL}/E02a", False))
case("severe nephritis with a prohibited medicine", "E02 E02a fail", SEVERE, attest(f"{TRIAL}/E02a", True))
case(
    "moderate nephritis",
    "E02 pass",
    PULSE,
    complete("conditions"),
    diagnosis("sct:68815009", onset=ago(40), severity="moderate"),
)
case(
    "severe nephritis over 57 days ago",
    "E02 pass",
    PULSE,
    complete("conditions"),
    diagnosis("sct:68815009", onset="2020", abated=ago(57), severity="severe"),
)
case(
    "severe nephritis over 56 days ago",
    "E02 fail",
    PULSE,
    diagnosis("sct:68815009", onset="2020", abated=ago(56), severity="severe"),
)
case("nephritis of unknown severity", "E02 unknown", PULSE, diagnosis("icd:M32.14", onset=ago(40)), complete())

# E03 suicidality

case("no ideation", "E03a pass", score("cssrsIdeation", 0, on=ago(3)))
case(
    "ideation of type 1",
    "E03a fail",
    score("cssrsIdeation", 1, on=ago(3)),
    others={"E03a": {"A1-11/active-ideation": "pass"}},
)
case(
    "ideation five months ago",
    "E03a fail",
    score("cssrsIdeation", 2, on="2026-05-21"),
    score("cssrsIdeation", 0, on=ago(3)),
)
case(
    "ideation more than six months ago",
    "E03a pass",
    score("cssrsIdeation", 2, on="2026-05-20"),
    score("cssrsIdeation", 0, on=ago(3)),
)
case("ideation not asked at screening", "E03a unknown", score("cssrsIdeation", 0, on=ago(29)))
case(
    "ideation of type 3, read as active",
    "E03a pass",
    score("cssrsIdeation", 3, on=ago(3)),
    **OTHERWISE,
)
case(
    "ideation of type 4, read as active",
    "E03a fail",
    score("cssrsIdeation", 4, on=ago(3)),
    **OTHERWISE,
)
case(
    "ideation of type 4 within six months, read as active",
    "E03a fail",
    score("cssrsIdeation", 4, on="2026-05-21"),
    score("cssrsIdeation", 0, on=ago(3)),
    **OTHERWISE,
)
case(
    "ideation of type 4 before six months, read as active",
    "E03a pass",
    score("cssrsIdeation", 4, on="2026-05-20"),
    score("cssrsIdeation", 0, on=ago(3)),
    **OTHERWISE,
)
ATTEMPT = "sct:425104003"
case("attempt a year ago", "E03b fail", diagnosis(ATTEMPT, onset="2025-11-21", abated="2025-11-21"))
case(
    "attempt more than a year ago",
    "E03b E03c pass",
    complete("conditions"),
    diagnosis(ATTEMPT, onset="2025-11-20", abated="2025-11-20"),
)
case(
    "two attempts in a lifetime",
    "E03c fail",
    diagnosis(ATTEMPT, onset="2010-01-01", abated="2010-01-01"),
    diagnosis(ATTEMPT, onset="2012-01-01", abated="2012-01-01"),
)
case("one attempt known", "E03c unknown", diagnosis(ATTEMPT, onset="2010-01-01", abated="2010-01-01"))

# E04 to E08

case("neuropsychiatric lupus", "E04 fail", diagnosis("sct:1144942002", onset="2026-01-01"))
case(
    "neuropsychiatric lupus over 56 days ago",
    "E04 fail",
    diagnosis("sct:1144942002", onset="2026-01-01", abated=ago(56)),
)
case(
    "neuropsychiatric lupus over 57 days ago",
    "E04 unknown",
    complete("conditions"),
    diagnosis("sct:1144942002", onset="2026-01-01", abated=ago(57)),
)
case("other organ involvement alone", "E04 unknown", diagnosis("icd:M32.19", onset="2026-01-01"), complete())
case("no nervous disease attested", "E04 pass", attest(f"{TRIAL}/E04", False))
case(
    "a nervous disease denied against the data",
    "E04 unknown",
    diagnosis("sct:1144942002", onset="2026-01-01"),
    attest(f"{TRIAL}/E04", False),
    rows={"E04": {"reason": "attest"}},
)
case("rheumatoid arthritis", "E06a fail", diagnosis("icd:M06.9", onset="2015", abated="2016"))
case("no arthropathy attested", "E06a pass", attest(f"{TRIAL}/E06a", False))
case(
    "no arthropathy attested, then something that cannot be read",
    "E06a unknown",
    attest(f"{TRIAL}/E06a", False, ago(3)),
    observation(f"local:attest:{TRIAL}/E06a", ago(1), valueString="see letter"),
)
case("psoriasis", "E06b fail", diagnosis("icd:L40.0", onset="2015"))
case(
    "acne",
    "E06b unknown",
    diagnosis("icd:L70.0", onset="2015"),
    rows={"E06b": {"needs_judgement": True}},
    others={"E06b": {"A1-15/any-skin-disease": "fail"}},
)
case("acne counts as skin disease", "E06b fail", diagnosis("icd:L70.0", onset="2015"), **OTHERWISE)
case("no skin disease attested", "E06b pass", attest(f"{TRIAL}/E06b", False))
case("severe vasculitis", "E07 fail", diagnosis("sct:31996006", onset="2015", severity="severe"))
case(
    "vasculitis of unknown severity",
    "E07 unknown",
    diagnosis("sct:31996006", onset="2015"),
    rows={"E07": {"needs_judgement": True}},
)
case(
    "vasculitis attested not severe",
    "E07 pass",
    diagnosis("sct:31996006", onset="2015", severity="mild"),
    attest(f"{TRIAL}/E07", False),
)
case("kidney transplant", "E08a fail", diagnosis("icd:Z94.0", onset="2015"))
case("kidney transplant done", "E08a fail", procedure("sct:313039003", "2015-01-01"))
case("kidney transplant not done", "E08a pass", procedure("sct:313039003", "2015-01-01", status="not-done"), complete())
case("transplant of an unnamed organ", "E08a E08b unknown", diagnosis("icd:Z94", onset="2015"), complete())
case("cornea transplant", "E08a E08b pass", diagnosis("icd:Z94.7", onset="2015"), complete())
case("intestine transplant", "E08a fail", diagnosis("icd:Z94.82", onset="2015"))
case("bone marrow transplant", "E08a pass, E08b fail", diagnosis("icd:Z94.81", onset="2015"), complete())
case("stem cell transplant", "E08b fail", procedure("sct:234336002", "2015-01-01"))

# E09 treatments of the last 14 days

for row, what, code in (("E09a", "plasmapheresis", "sct:20720000"), ("E09b", "haemodialysis", "sct:302497006")):
    case(
        f"{what} 14 days ago",
        f"{row} fail",
        procedure(code, ago(14)),
        complete("procedures"),
        rows={row: {"passes_from": ago(-1)}},
    )
    case(f"{what} 15 days ago", f"{row} pass", procedure(code, ago(15)), complete("procedures"))
    case(f"{what} 15 days ago known", f"{row} unknown", procedure(code, ago(15)))
    case(f"{what} this month", f"{row} unknown", procedure(code, "2026-11"), complete("procedures"))
case("immunoglobulin 14 days ago", "E09c fail, E22 unknown", drug("atc:J06BA02", ago(20), ago(14)))
case("immunoglobulin 15 days ago", "E09c E22 pass", drug("atc:J06BA02", ago(20), ago(15)), complete("medications"))
case("immunoglobulin given 14 days ago", "E09c fail", given("atc:J06BA02", ago(14)))

# E10 other autoimmune disease

case(
    "other autoimmune disease under immunosuppression",
    "E10 fail",
    diagnosis("icd:M06.9", onset="2015"),
    drug("rx:1256", "2020-01-01"),
    rows={"E10": {"flags": "therapy"}},
)
case(
    "other autoimmune disease untreated",
    "E10 unknown",
    diagnosis("icd:M06.9", onset="2015"),
    complete(),
    rows={"E10": {"needs_judgement": True}},
)
case("no other autoimmune disease attested", "E10 pass", attest(f"{TRIAL}/E10", False))

# E11 infections

case("surface antigen and DNA negative", "E11a pass", result("hbsAg", NEGATIVE), result("hbvDna", NEGATIVE))
case(
    "surface antigen positive",
    "E11a fail",
    result("hbsAg", POSITIVE),
    result("hbvDna", NEGATIVE),
    others={"E11a": {"A1-20/antigen-and-dna": "pass"}},
)
case(
    "DNA of hepatitis B",
    "E11a fail",
    result("hbsAg", NEGATIVE),
    lab("hbvDna", 20, "[IU]/mL"),
    others={"E11a": {"A1-20/antigen-and-dna": "pass"}},
)
case(
    "DNA of hepatitis B below quantification",
    "E11a pass",
    result("hbsAg", NEGATIVE),
    lab("hbvDna", 20, "[IU]/mL", comparator="<"),
)
case("surface antigen alone negative", "E11a unknown", result("hbsAg", NEGATIVE))
case(
    "core antibody positive",
    "E11a pass",
    result("hbsAg", NEGATIVE),
    result("hbvDna", NEGATIVE),
    result("antiHbc", POSITIVE),
    rows={"E11a": {"flags": "HBc"}},
)
case(
    "antigen and DNA, both asked for",
    "E11a fail",
    result("hbsAg", POSITIVE),
    lab("hbvDna", 20, "[IU]/mL"),
    **OTHERWISE,
)
case(
    "antigen without DNA, both asked for",
    "E11a pass",
    result("hbsAg", POSITIVE),
    result("hbvDna", NEGATIVE),
    **OTHERWISE,
)
case(
    "DNA without antigen, both asked for",
    "E11a pass",
    result("hbsAg", NEGATIVE),
    lab("hbvDna", 20, "[IU]/mL"),
    **OTHERWISE,
)
for row, test in (("E11b", "hcvAb"), ("E11c", "hivAb"), ("E11f", "treponemal")):
    case(f"{test} negative", f"{row} pass", result(test, NEGATIVE))
    case(f"{test} positive", f"{row} fail", result(test, POSITIVE))
    case(
        f"{test} of 90 days",
        f"{row} pass",
        result(test, NEGATIVE, on=ago(90)),
        rows={row: {"valid_until": "2026-11-21"}},
    )
    case(f"{test} of 91 days", f"{row} unknown", result(test, NEGATIVE, on=ago(91)))
case(
    "serology of 91 days and a longer window",
    "E11b pass",
    result("hcvAb", NEGATIVE, on=ago(91)),
    windows={"serology": 91},
)
case(
    "interpretation says negative",
    "E11b pass",
    observation(
        "hcvAb",
        ago(6),
        interpretation=[
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "NEG"}
                ]
            }
        ],
    ),
)
case(
    "serology after immunoglobulin is flagged",
    "E11b fail",
    result("hcvAb", POSITIVE),
    drug("atc:J06BA02", ago(100), ago(90)),
    rows={"E11b": {"flags": "mmunoglobulin"}},
)
case("a positive HIV 1 antibody", "E11c fail", result("hiv1Ab", POSITIVE))
case("a negative HIV 1 antibody is no HIV test", "E11c unknown", result("hiv1Ab", NEGATIVE))
for row, test in (("E11d", "cmvDna"), ("E11e", "ebvDna")):
    case(f"{test} quantified", f"{row} fail", lab(test, 20, "[IU]/mL"))
    case(f"{test} below quantification", f"{row} pass", lab(test, 20, "[IU]/mL", comparator="<"))
    case(f"{test} of 90 days", f"{row} pass", result(test, NEGATIVE, on=ago(90)))
    case(f"{test} of 91 days", f"{row} unknown", result(test, NEGATIVE, on=ago(91)))
case(
    "reagin test alone",
    "E11f unknown",
    result("rpr", POSITIVE),
    others={"E11f": {"A1-24/any-serology": "fail"}},
    rows={"E11f": {"flags": "reagin"}},
)
case(
    "reagin positive, treponemal negative",
    "E11f pass",
    result("rpr", POSITIVE),
    result("treponemal", NEGATIVE),
    others={"E11f": {"A1-24/any-serology": "fail"}},
)
case("reagin test alone, any serology", "E11f fail", result("rpr", POSITIVE), **OTHERWISE)
case("treponemal test, any serology", "E11f fail", result("treponemal", POSITIVE), **OTHERWISE)
case("no serology positive", "E11f pass", result("rpr", NEGATIVE), result("treponemal", NEGATIVE), **OTHERWISE)
case("antigen of 91 days", "E11a unknown", result("hbsAg", NEGATIVE, on=ago(91)), result("hbvDna", NEGATIVE))
case("hepatitis B DNA of 91 days", "E11a unknown", result("hbsAg", NEGATIVE), result("hbvDna", NEGATIVE, on=ago(91)))

# E12 tuberculosis

NO_TB = [complete("conditions", "medications"), result("igra", NEGATIVE)]
case("no tuberculosis", "E12 pass", NO_TB)
case(
    "latent tuberculosis",
    "E12 unknown",
    diagnosis("icd:Z22.7", onset="2026-01-01"),
    complete(),
    rows={"E12": {"needs_judgement": True}},
)
case(
    "latent tuberculosis and 28 days of isoniazid",
    "E12 pass",
    diagnosis("icd:Z22.7", onset="2026-01-01"),
    drug("atc:J04AC01", ago(100), ago(72)),
    complete(),
    result("igra", POSITIVE),
)
case(
    "latent tuberculosis and 27 days of isoniazid",
    "E12 unknown",
    diagnosis("icd:Z22.7", onset="2026-01-01"),
    drug("atc:J04AC01", ago(100), ago(73)),
    complete(),
    result("igra", POSITIVE),
)
case("positive release assay", "E12 unknown", result("igra", POSITIVE), complete())
case("active tuberculosis", "E12 unknown", diagnosis("icd:A15.0", onset="2026-01-01"), complete())
case("untreated tuberculosis attested", "E12 fail", attest(f"{TRIAL}/E12", True))
case("release assay of 91 days", "E12 unknown", complete(), result("igra", NEGATIVE, on=ago(91)))

# E13 to E18, and everything that only somebody can say

JUDGED = [
    "I01b",
    "E05",
    "E13a",
    "E13b",
    "E13c",
    "E13d",
    "E13e",
    "E13f",
    "E14b",
    "E17",
    "E19b",
    "E26b",
    "E26c",
    "E27b",
    "E27d",
    "E33a",
    "E33b",
    "E02a",
    "E31c",
]
case(
    "everything denied",
    "I01b fail, " + ", ".join(f"{row} pass" for row in JUDGED[1:]),
    [attest(f"{TRIAL}/{row}", False) for row in JUDGED],
)
case(
    "everything affirmed",
    "I01b pass, " + ", ".join(f"{row} fail" for row in JUDGED[1:]),
    [attest(f"{TRIAL}/{row}", True) for row in JUDGED],
)
case("severe allergy", "E14a fail", allergy("rx:723", criticality="high"))
case("allergy of no stated gravity", "E14a unknown", allergy("rx:723"), complete("allergies"))
case("no allergy", "E14a pass", complete("allergies"))
case("an allergy to a drug noted as a diagnosis", "E01 E14a unknown", diagnosis("sct:416098002"), complete())
case(
    "an allergy to penicillin noted as a diagnosis",
    "E01 pass, E14a unknown",
    diagnosis("icd:Z88.0"),
    complete("allergies"),
)
case("a severe allergy noted as a diagnosis", "E14a fail", diagnosis("icd:Z88.0", severity="severe"), complete())
case("anaphylaxis noted as a diagnosis", "E01 pass, E14a unknown", diagnosis("icd:T78.2XXA"), complete("allergies"))
case("an allergy to what is not named", "E01 unknown", allergy("sct:416098002"), complete("allergies"))
case("severe heart failure", "E15 fail", diagnosis("icd:I50.9", onset="2020", severity="severe"))
case("heart failure", "E15 unknown", diagnosis("icd:I50.9", onset="2020"), rows={"E15": {"needs_judgement": True}})
case("no severe heart disease attested", "E15 pass", attest(f"{TRIAL}/E15", False))
case("severe liver disease", "E16 fail", diagnosis("icd:K76.9", onset="2020", severity="severe"))
case(
    "severe liver disease that is over",
    "E16 unknown",
    complete(),
    diagnosis("icd:K76.9", onset="2020", abated="2021", severity="severe"),
)
case("no severe liver disease attested", "E16 pass", attest(f"{TRIAL}/E16", False))
case("infection under treatment", "E18 fail", diagnosis("icd:B99.9", onset=ago(9)), drug("atc:J01CA04", ago(8)))
case(
    "infection untreated",
    "E18 unknown",
    diagnosis("icd:B99.9", onset=ago(9)),
    complete(),
    rows={"E18": {"needs_judgement": True}},
)
case("no infection attested", "E18 pass", attest(f"{TRIAL}/E18", False))

# E19 vaccine, E20 to E23 wash-outs and earlier treatments

case(
    "live vaccine 28 days ago",
    "E19a fail",
    vaccine("cvx:03", ago(28)),
    complete("immunizations"),
    rows={"E19a": {"passes_from": ago(-1)}},
)
case("live vaccine 29 days ago", "E19a pass", vaccine("cvx:03", ago(29)), complete("immunizations"))
case("live vaccine not given", "E19a pass", vaccine("cvx:03", ago(3), status="not-done"), complete("immunizations"))
case("recombinant zoster vaccine", "E19a pass", vaccine("cvx:187", ago(3)), complete("immunizations"))
case("live vaccine by local code", "E19a fail", vaccine("local:liveVaccine", ago(3)))
case("vaccines not known", "E19a unknown", vaccine("cvx:187", ago(3)))
case("baricitinib two days ago", "E20a pass", drug("atc:L04AF02", ago(90), ago(2)), COMPLETE)
case(
    "baricitinib yesterday",
    "E20a fail",
    drug("atc:L04AF02", ago(90), ago(1)),
    COMPLETE,
    rows={"E20a": {"passes_from": ago(-1)}},
)
case("baricitinib yesterday by its old code", "E20a fail", drug("atc:L04AA37", ago(90), ago(1)))
case("baricitinib ongoing", "E20a fail", drug("atc:L04AF02", ago(90)), rows={"E20a": {"passes_from": None}})
case(
    "baricitinib ordered",
    "E20a unknown",
    order("atc:L04AF02", ago(3)),
    COMPLETE,
    rows={"E20a": {"evidence": "ordered"}},
)
case("fedratinib 14 days ago", "E20a fail", drug("atc:L01EJ02", ago(90), ago(14)))
case("fedratinib 15 days ago", "E20a pass", drug("atc:L01EJ02", ago(90), ago(15)), COMPLETE)
case(
    "deucravacitinib yesterday",
    "E20a fail",
    drug("atc:L04AF07", ago(90), ago(1)),
    rows={"E20a": {"flags": "eucravacitinib"}},
)
case("topical ruxolitinib", "E20a pass", drug("atc:D11AH09", ago(90)), COMPLETE)
case("abrocitinib today", "E20a fail", drug("atc:D11AH08", ago(90), ago(0)))
case(
    "pirtobrutinib two days ago",
    "E20b fail",
    drug("atc:L01EL05", ago(90), ago(2)),
    COMPLETE,
    rows={"E20b": {"passes_from": ago(-1), "flags": "ovalent"}},
)
case("pirtobrutinib three days ago", "E20b pass", drug("atc:L01EL05", ago(90), ago(3)), COMPLETE)
case("remibrutinib today", "E20b fail", drug("atc:L04AA60", ago(90), ago(0)))
case("no inhibitor known", "E20b E20a unknown", drug("rx:5521", ago(90)))
case(
    "rituximab years ago",
    "E21 fail, E22 pass",
    drug("atc:L01FA01", "2015", "2016"),
    COMPLETE,
    rows={"E21": {"passes_from": None}},
)
case("rituximab by its old code", "E21 fail", drug("atc:L01XC02", "2015", "2016"))
case("rituximab in the name of a biosimilar product", "E21 fail", drug("rx:121191", "2015", "2016"))
case(
    "belimumab 97 days ago",
    "E21 E22 pass",
    drug("atc:L04AG04", "2020", ago(97)),
    COMPLETE,
    others={"E21": {"A1-31/broad": "fail"}},
    rows={"E21": {"flags": "BLyS"}},
)
case(
    "belimumab 96 days ago",
    "E21 pass, E22 fail",
    drug("atc:L04AG04", "2020", ago(96)),
    COMPLETE,
    rows={"E22": {"passes_from": ago(-1)}},
    others={"E22": {"A1-31/broad": "pass"}},
)
case(
    "telitacicept 57 days ago",
    "E22 fail",
    drug("local:telitacicept", "2020", ago(57)),
    COMPLETE,
    rows={"E22": {"passes_from": ago(-1)}},
)
case("telitacicept 58 days ago", "E22 pass", drug("local:telitacicept", "2020", ago(58)), COMPLETE)
case("anifrolumab 111 days ago", "E22 fail", drug("atc:L04AG11", "2020", ago(111)))
case("anifrolumab 112 days ago", "E22 pass", drug("atc:L04AG11", "2020", ago(112)), COMPLETE)
case(
    "abatacept ongoing",
    "E22 fail",
    drug("atc:L04AA24", "2020"),
    COMPLETE,
    rows={"E22": {"passes_from": None}},
    whole={"earliest_eligible": None},
)
case("a biologic of unknown half-life", "E22 unknown, E21 pass", drug("atc:L04AC18", "2020", ago(20)), COMPLETE)
case("a class code of biologics", "E21 E22 unknown", drug("atc:L04AG", "2020", ago(20)), COMPLETE)
case("mycophenolate is no biologic", "E22 E21 pass", drug("atc:L04AA06", "2020"), COMPLETE)
case("belimumab, read broadly", "E21 fail, E22 pass", drug("atc:L04AG04", "2015", "2016"), COMPLETE, **OTHERWISE)
case(
    "tocilizumab 59 days ago, read broadly",
    "E21 pass, E22 fail",
    drug("atc:L04AC07", "2020", ago(59)),
    COMPLETE,
    **OTHERWISE,
)
case(
    "tocilizumab 60 days ago, read broadly",
    "E21 E22 pass",
    drug("atc:L04AC07", "2020", ago(60)),
    COMPLETE,
    **OTHERWISE,
)
case("rituximab, read broadly", "E21 fail", drug("atc:L01FA01", "2015", "2016"), **OTHERWISE)
case("CAR-T cells before", "E23 fail, E21 E22 pass", drug("atc:L01XL04", "2024-01-01", "2024-01-01"), COMPLETE)
case("a class code of gene therapy", "E23 unknown", drug("atc:L01XL", "2024-01-01", "2024-01-01"), COMPLETE)
case("a history of CAR-T cells noted as a diagnosis", "E23 fail", diagnosis("icd:Z92.850"), COMPLETE)
case(
    "a suspected history of CAR-T cells", "E23 unknown", diagnosis("icd:Z92.850", verification="unconfirmed"), COMPLETE
)
case("a history of some cellular therapy", "E23 unknown", diagnosis("icd:Z92.859"), COMPLETE)
case("a history of CAR-T cells refuted", "E23 pass", diagnosis("icd:Z92.850", verification="refuted"), COMPLETE)
case("anticoagulants told by a diagnosis", "E28b unknown", diagnosis("icd:Z79.01", onset=ago(200)), COMPLETE)
case("a JAK inhibitor told by a diagnosis", "E20a unknown, E22 pass", diagnosis("icd:Z79.622"), COMPLETE)
case("a biologic told by a diagnosis", "E20a pass, E21 unknown, E22 unknown", diagnosis("icd:Z79.620"), COMPLETE)
case("a blood donor told by a diagnosis", "E27a unknown", diagnosis("icd:Z52.008", onset=ago(10)), complete())
case("alcohol dependence in remission by its code", "E30a unknown", diagnosis("icd:F10.21"), complete())
case("a bleeding ulcer, severe", "E28a unknown", diagnosis("icd:K25.4", onset=ago(5), severity="severe"), complete())
case("a cell therapy newer than the tables", "E23 unknown", drug("atc:L01XL13", "2024-01-01", "2024-01-01"), COMPLETE)
case("an oncolytic virus is no CAR-T", "E23 pass", drug("atc:L01XL02", "2024-01-01", "2024-01-01"), COMPLETE)

# E24 to E26 before planned dates

LATE = {"leukapheresis": ago(-5), "infusion": ago(-20), "lymphodepletion": ago(-15)}
case(
    "11 mg until today, leukapheresis in five days",
    "E24a fail, E24b unknown",
    drug("rx:8640", ago(9), ago(0), 11),
    COMPLETE,
    events=LATE,
)
case("10 mg, leukapheresis in five days", "E24a unknown", drug("rx:8640", ago(9), None, 10), COMPLETE, events=LATE)
case("no steroid, leukapheresis in five days", "E24a E25 E26a unknown", COMPLETE, complete("procedures"), events=LATE)
case(
    "no steroid attested",
    "E24a E24b E25 E26a pass",
    [attest(f"{TRIAL}/{row}", False) for row in ("E24a", "E24b", "E25", "E26a")],
    events=LATE,
)
case(
    "10 mg in the week before leukapheresis",
    "E24a E24b pass",
    drug("rx:8640", ago(40), None, 10),
    COMPLETE,
    events=PAST,
    others={"E24a": {"A1-32/any-dose": "fail"}, "E24b": {"A1-32/any-dose": "fail"}},
)
case(
    "10.1 mg in the week before leukapheresis",
    "E24a E24b fail",
    drug("rx:8640", ago(40), None, "10.1"),
    COMPLETE,
    events=PAST,
    rows={"E24a": {"passes_from": None}},
)
case("20 mg until seven days before leukapheresis", "E24a fail", drug("rx:8640", ago(40), ago(12), 20), events=PAST)
case(
    "20 mg until eight days before leukapheresis",
    "E24a E24b pass",
    drug("rx:8640", ago(40), ago(13), 20),
    COMPLETE,
    events=PAST,
)
case("20 mg until three days before infusion", "E24b fail", drug("rx:8640", ago(40), ago(3), 20), events=PAST)
case("20 mg until four days before infusion", "E24b pass", drug("rx:8640", ago(40), ago(4), 20), COMPLETE, events=PAST)
case("5 mg is replacement", "E24a E24b pass", drug("rx:8640", ago(40), None, 5), COMPLETE, **OTHERWISE)
case(
    "6 mg is more than replacement",
    "E24a E24b fail",
    drug("rx:8640", ago(40), None, 6),
    COMPLETE,
    **OTHERWISE,
)
case(
    "20 mg until seven days before leukapheresis, any dose",
    "E24a fail",
    drug("rx:8640", ago(40), ago(12), 20),
    **OTHERWISE,
)
case(
    "20 mg until eight days before leukapheresis, any dose",
    "E24a pass",
    drug("rx:8640", ago(40), ago(13), 20),
    COMPLETE,
    **OTHERWISE,
)
case(
    "20 mg until three days before infusion, any dose",
    "E24b fail",
    drug("rx:8640", ago(40), ago(3), 20),
    **OTHERWISE,
)
case(
    "20 mg until four days before infusion, any dose",
    "E24b pass",
    drug("rx:8640", ago(40), ago(4), 20),
    COMPLETE,
    **OTHERWISE,
)
case("steroids before a leukapheresis of no date", "E24a unknown", drug("rx:8640", ago(40), None, 50), COMPLETE)
case(
    "leukapheresis planned in the record",
    "E24a fail",
    drug("rx:8640", ago(9), None, 11),
    event("leukapheresis", ago(-3)),
)
case(
    "leukapheresis planned for another trial",
    "E24a unknown",
    drug("rx:8640", ago(9), None, 11),
    event("leukapheresis/NCT06892145", ago(-3)),
)
case("study drug 28 days before leukapheresis", "E25 fail", drug("local:lcarAio", ago(33), ago(33)), events=PAST)
case(
    "study drug 29 days before leukapheresis",
    "E25 unknown",
    drug("local:lcarAio", ago(34), ago(34)),
    COMPLETE,
    events=PAST,
)
case("surgery 28 days before lymphodepletion", "E26a fail", procedure("local:majorSurgery", ago(31)), events=PAST)
case(
    "surgery 29 days before lymphodepletion",
    "E26a pass",
    procedure("local:majorSurgery", ago(32)),
    complete("procedures"),
    events=PAST,
)

# E27 to E32

GAVE = [procedure("local:bloodDonation", ago(28)), lab("local:bloodDonationVolume", 400, "mL", on=ago(28))]
case("gave 400 mL 28 days ago", "E27a fail", GAVE, complete("procedures"), rows={"E27a": {"passes_from": ago(-1)}})
case(
    "gave 399 mL 28 days ago", "E27a pass", GAVE[0], lab("local:bloodDonationVolume", 399, "mL", on=ago(28)), complete()
)
case(
    "gave 400 mL 29 days ago",
    "E27a pass",
    procedure("local:bloodDonation", ago(29)),
    lab("local:bloodDonationVolume", 400, "mL", on=ago(29)),
    complete(),
)
case("gave blood of unknown volume", "E27a unknown", GAVE[0], complete())
case("transfusion 56 days ago", "E27c fail", procedure("sct:116859006", ago(56)))
case("transfusion 57 days ago", "E27c pass", procedure("sct:116859006", ago(57)), complete("procedures"))
case(
    "moderate bleeding 28 days ago",
    "E28a fail",
    diagnosis("sct:131148009", onset=ago(28), abated=ago(28), severity="moderate"),
)
case(
    "moderate bleeding 29 days ago",
    "E28a pass",
    complete("conditions"),
    diagnosis("sct:131148009", onset=ago(29), abated=ago(29), severity="moderate"),
)
case(
    "mild bleeding",
    "E28a pass",
    complete("conditions"),
    diagnosis("sct:131148009", onset=ago(9), abated=ago(9), severity="mild"),
)
case("severe bleeding", "E28a fail", diagnosis("sct:131148009", onset=ago(9), abated=ago(9), severity="severe"))
case("bleeding of unknown severity", "E28a unknown", diagnosis("sct:131148009", onset=ago(9)), complete())
case("anticoagulated for 92 days", "E28b fail", drug("atc:B01AA03", ago(92)))
case("anticoagulated for 91 days", "E28b unknown", drug("atc:B01AA03", ago(91)), COMPLETE)
case(
    "anticoagulated for 88 days",
    "E28b unknown",
    drug("atc:B01AA03", ago(88)),
    COMPLETE,
    rows={"E28b": {"needs_judgement": True}},
)
case(
    "anticoagulated with a gap of 7 days",
    "E28b fail",
    drug("atc:B01AA03", ago(92), ago(50)),
    drug("atc:B01AF01", ago(43)),
)
case(
    "anticoagulated with a gap of 8 days",
    "E28b unknown",
    drug("atc:B01AA03", ago(92), ago(50)),
    drug("atc:B01AF01", ago(42)),
    COMPLETE,
)
case("antiplatelets do not count", "E28b pass", drug("atc:B01AC06", ago(200)), COMPLETE)
case("anticoagulation that has ended", "E28b pass", drug("atc:B01AA03", ago(200), ago(2)), COMPLETE)
case("severe psychosis", "E29 fail", diagnosis("icd:F29", onset="2020", severity="severe"))
case("depression", "E29 unknown", diagnosis("icd:F32.1", onset="2020"), rows={"E29": {"needs_judgement": True}})
case("no severe mental illness attested", "E29 pass", attest(f"{TRIAL}/E29", False))
case("alcohol dependence", "E30a fail", diagnosis("icd:F10.20", onset="2020"))
case(
    "alcohol dependence that is over",
    "E30a unknown",
    diagnosis("icd:F10.20", onset="2010", abated="2012"),
    complete(),
    rows={"E30a": {"needs_judgement": True}},
)
case("no alcohol dependence", "E30a E30b pass", complete("conditions"))
case("drug abuse years ago", "E30b fail", diagnosis("icd:F19.10", onset="2010", abated="2012"))
case("pregnancy recorded", "E31a fail", diagnosis("icd:Z33.1", onset=ago(60)))
case("no pregnancy in complete conditions", "E31a pass, I07a unknown", complete("conditions"))
case("breastfeeding", "E31b fail", diagnosis("sct:290122005", onset=ago(60)))
case("not breastfeeding", "E31b pass", complete("conditions"))
case("a woman plans a pregnancy", "E31c fail, E31d not-applicable", said("plansPregnancy"))
case("a woman plans no pregnancy", "E31c pass, E31d not-applicable", said("plansPregnancy", False))
case("nobody plans a pregnancy in complete statements", "E31c pass", complete("statements"))
case("a man's partner plans a pregnancy", "E31d fail, E31c not-applicable", MAN, said("plansPregnancy"))
case("a man's partner plans no pregnancy", "E31d pass", MAN, said("plansPregnancy", False))
case("breast cancer", "E32 fail", diagnosis("icd:C50.9", onset="2010", abated="2011"))
case("malignancy in the history", "E32 fail", diagnosis("icd:Z85.3", recorded="2020"))
case("malignancy in the family", "E32 pass", diagnosis("icd:Z80.3", recorded="2020"), complete("conditions"))
case(
    "skin cancer",
    "E32 fail",
    diagnosis("icd:C44.3", onset="2010"),
    complete("conditions"),
    others={"E32": {"A1-39/except-skin-in-situ": "pass"}},
    rows={"E32": {"flags": "skin cancer"}},
)
case(
    "carcinoma in situ",
    "E32 unknown",
    diagnosis("icd:D06.9", onset="2010"),
    complete("conditions"),
    others={"E32": {"A1-39/except-skin-in-situ": "pass"}},
    rows={"E32": {"needs_judgement": True}},
)
case("skin cancer excepted", "E32 pass", diagnosis("icd:C44.3", onset="2010"), complete("conditions"), **OTHERWISE)
case("breast cancer not excepted", "E32 fail", diagnosis("icd:C50.9", onset="2010"), **OTHERWISE)
case("malignancy refuted", "E32 pass", diagnosis("sct:363346000", onset="2010", verification="refuted"))
case(
    "one cancer refuted is not all refuted", "E32 unknown", diagnosis("icd:C50.9", onset="2010", verification="refuted")
)
case(
    "malignancy provisional",
    "E32 unknown",
    diagnosis("icd:C50.9", onset="2010", verification="provisional"),
    complete("conditions"),
)
case(
    "malignancy entered in error",
    "E32 pass",
    diagnosis("icd:C50.9", onset="2010", verification="entered-in-error"),
    complete("conditions"),
)
CODE_MAP = "http://snomed.info/sct,424302003,other\nhttp://snomed.info/sct,424302004,malignancy\n"
UNMAPPED = diagnosis("sct:424302003", onset="2010", display="A finding of some clinic")
case(
    "an unmapped condition",
    "E32 unknown",
    UNMAPPED,
    complete("conditions"),
    whole={"unread": ["A finding of some clinic"]},
)
case(
    "an unmapped condition mapped to another",
    "E32 pass",
    UNMAPPED,
    complete("conditions"),
    code_map=CODE_MAP,
)
case(
    "an unmapped condition mapped to malignancy",
    "E32 fail",
    diagnosis("sct:424302004", onset="2010"),
    code_map=CODE_MAP,
)
case("a lupus of which a code knows no more", "E32 pass", diagnosis("icd:M32.10", onset="2010"), complete("conditions"))
case("intravenous steroid counts", "E02c fail", drug("rx:6902", ago(40), ago(27), 80, route=INTRAVENOUS))
case("moderate vasculitis", "E07 unknown", diagnosis("sct:31996006", onset="2020", severity="moderate"))
case("moderate heart failure", "E15 unknown", diagnosis("icd:I50.9", onset="2020", severity="moderate"))
case("moderate liver disease", "E16 unknown", diagnosis("icd:K76.9", onset="2020", severity="moderate"))
case("moderate psychosis", "E29 unknown", diagnosis("icd:F29", onset="2020", severity="moderate"))

# What serology is flagged for, and how long it serves

for row, test in (("E11a", "hbsAg"), ("E11b", "hcvAb"), ("E11c", "hivAb"), ("E11f", "treponemal")):
    for day, flag in (("2026-05-21", "mmunoglobulin"), ("2026-05-20", "")):
        case(
            f"{test} and immunoglobulin on {day}",
            f"{row} fail",
            result(test, POSITIVE),
            drug("atc:J06BA02", day, day),
            COMPLETE,
            rows={row: {"flags": flag}},
        )
for days, status in ((90, "pass"), (91, "unknown")):
    case(
        f"hepatitis B tests of {days} days",
        f"E11a {status}",
        result("hbsAg", NEGATIVE, on=ago(days)),
        result("hbvDna", NEGATIVE, on=ago(days)),
    )
    case(
        f"release assay of {days} days in complete records",
        f"E12 {status}",
        complete(),
        result("igra", NEGATIVE, on=ago(days)),
    )
case(
    "27 days of isoniazid in two pieces",
    "E12 unknown",
    diagnosis("icd:Z22.7", onset="2026-01-01"),
    drug("atc:J04AC01", ago(100), ago(86)),
    drug("atc:J04AC01", ago(84), ago(71)),
    complete(),
)
case(
    "28 days of isoniazid in two pieces",
    "E12 pass",
    diagnosis("icd:Z22.7", onset="2026-01-01"),
    drug("atc:J04AC01", ago(100), ago(86)),
    drug("atc:J04AC01", ago(80), ago(66)),
    complete(),
    result("igra", POSITIVE),
)
case("5.1 mg is more than replacement", "E24a E24b fail", drug("rx:8640", ago(40), None, "5.1"), **OTHERWISE)
SHORT_TERM = [COMPLETE, attest(f"{TRIAL}/E28b", False)]
case("anticoagulated for 91 days, said to be short", "E28b pass", drug("atc:B01AA03", ago(91)), SHORT_TERM)
case("anticoagulated for 92 days, said to be short", "E28b unknown", drug("atc:B01AA03", ago(92)), SHORT_TERM)
case(
    "anticoagulated twice for 60 days",
    "E28b unknown",
    drug("atc:B01AA03", ago(300), ago(240)),
    drug("atc:B01AA03", ago(60)),
    COMPLETE,
)

# Codes and statuses, a record each

for code, expected in (
    ("icd:Z94.5", "E08a E08b pass"),
    ("icd:Z94.83", "E08a fail"),
    ("icd:Z94.84", "E08a pass, E08b fail"),
    ("icd:Z94.8", "E08a E08b unknown"),
    ("icd:D25.9", "E32 pass"),
    ("icd:C", "E32 unknown"),
    ("icd:C97", "E32 fail"),
    ("sct:266987004", "E32 fail"),
):
    case(f"a diagnosis {code}", expected, diagnosis(code, onset="2015"), complete())
for code, expected in (
    ("atc:L01FF02", "E21 pass, E22 unknown"),
    ("atc:L01F", "E21 E22 unknown"),
    ("atc:L04A", "E20a E21 E22 unknown"),
    ("atc:L04AF05", "E20a pass"),
    ("atc:D11AH11", "E20a pass"),
    ("atc:L04AF02 rx:2047232", "E20a fail"),
):
    case(f"a medicine {code}", expected, drug(code, "2020"), COMPLETE)
for status in ("cancelled", "on-hold", "draft", "entered-in-error"):
    case(f"rituximab in an order {status}", "E21 pass", order("atc:L01FA01", ago(400), status=status), COMPLETE)
for intent in ("plan", "proposal"):
    case(f"rituximab in a {intent}", "E21 pass", order("atc:L01FA01", ago(400), intent=intent), COMPLETE)
for status in ("active", "completed", "stopped"):
    case(f"rituximab in an order {status}", "E21 unknown", order("atc:L01FA01", ago(400), status=status), COMPLETE)
for status, expected in (
    ("preliminary", "unknown"),
    ("amended", "pass"),
    ("corrected", "pass"),
    ("cancelled", "unknown"),
):
    case(f"a score {status}", f"I05a {expected}", {**score("selenaSledaiTotal", 9), "status": status})
case(
    "a later score in error",
    "I05a fail",
    score("selenaSledaiTotal", 5, on=ago(9)),
    {**score("selenaSledaiTotal", 9), "status": "entered-in-error"},
)
for value, expected in ((3, "pass"), (300, "fail")):
    case(f"hCG of {value}", f"I07a {expected}", lab("loinc:19080-1", value, "m[IU]/mL", uln=5, on=ago(3)))
case("hCG without limit", "I07a unknown", lab("loinc:19080-1", 300, "m[IU]/mL", on=ago(3)))
case(
    "pregnancy recorded and test negative",
    "E31a unknown",
    diagnosis("icd:Z33.1", onset=ago(60)),
    result("hcgUrine", NEGATIVE, on=ago(3)),
)
case("an unknown vaccine of another system", "E19a unknown", vaccine("sct:123456", ago(3)), complete("immunizations"))
case("transfusion by local code", "E27c fail", procedure("local:transfusion", ago(5)))
case("transfusion of no date", "E27c unknown", procedure("sct:116859006", None), complete("procedures"))
case("stem cell transplant of no date", "E08b fail", procedure("sct:234336002", None))
case(
    "lupus classified 168 days before a planned consent",
    "I02 I04b pass, I01a unknown",
    person("2008-11-25"),
    said("acr1997", on=ago(163)),
    events={"consent": ago(-5)},
)
