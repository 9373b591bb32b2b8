"""Cases of the rules of reading (CONTRACT section 4) that concern no trial alone; they join the trials' suites."""

from caselib import NEGATIVE, ago, complete, diagnosis, drug, example, items, lab, person, result, score
from cases.nct06106906 import suite as nct06106906
from cases.nct06892145 import suite as nct06892145

# ---- pregnancy rules need a sex recorded as male or female -----------------------------------------------------------

for sex in ("other", "unknown", None):
    nct06106906.case(
        f"negative pregnancy test of sex {sex}",
        "I07a E31a unknown",
        example("b-01", person(sex=sex)),
        rows={"I07a": {"open_kind": "data", "missing": "the recorded sex"}},
    )
    nct06892145.case(
        f"negative blood pregnancy test of sex {sex}",
        "I09a unknown",
        person(sex=sex),
        result("loinc:2118-8", NEGATIVE, on=ago(3)),
        rows={"I09a": {"reason": "no sex is recorded as male or female"}},
    )

# ---- a biologic without wash-out days --------------------------------------------------------------------------------

for name, end in (("ongoing", None), ("ended today", ago(0)), ("ended long ago", "2011-01-01")):
    nct06106906.case(
        f"golimumab {name}", "E22 unknown", drug("atc:L04AB06", "2010-01-01", end), complete("medications")
    )

# ---- points with items, and the date that items give -----------------------------------------------------------------

for name, expected, true in (("clinical", "pass", "acuteCutaneous"), ("immunologic", "unknown", "lowC3orC4")):
    nct06892145.case(
        f"10 EULAR/ACR points with ANA and one {name} item",
        f"I03a {expected}",
        score("eularAcr2019", 10, on="2018-03-01"),
        lab("anaTiter", 80, "{titer}", on="2018-03-01"),
        items("eularAcr2019", true, on="2018-03-01"),
    )
for days, expected in ((168, "pass"), (167, "unknown")):
    nct06106906.case(
        f"fourth criterion of ACR 1997 recorded {days} days ago",
        f"I04a pass, I04b {expected}",
        diagnosis("sct:55464009", onset="2018-03-01"),
        items("acr1997", "malarRash photosensitivity oralUlcers", on="2018-03-01"),
        items("acr1997", "ana", on=ago(days)),
    )

# ---- points are whole ------------------------------------------------------------------------------------------------

for comparator, value, expected in ((">", 6, "pass"), (">", 5, "unknown"), ("<", 8, "unknown"), ("<", 7, "fail")):
    nct06892145.case(
        f"SLEDAI-2K {comparator}{value}",
        f"I04 {expected}",
        lab("local:sledai2kTotal", value, "{score}", comparator=comparator),
    )
