"""Lines that are filled in by what is known of their form: the same tables as when each line is read by itself."""

import itertools
import json
import random
import re

import pyarrow as pa
import pytest

from sle_kg.ingest import Options, blocks, fhir, filling, forms, ingest_cohort, pieces, probe, work
from sle_kg.ingest.layout import Layout
from sle_kg.synthetic import write_cohort

LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
LOCAL, RXNORM = "https://w3id.org/sle-kg/codes", "http://www.nlm.nih.gov/research/umls/rxnorm"
NUMBERS = ["5", "5.0", "0.10", "1e-3", "1E+2", "-0", "-3", "0.1", "12345678901234567890", "9007199254740993", "1e999"]
WRONG_NUMBERS = ["05", "1.", ".5", "+1", "NaN", '"7"', "true", "null", "{}"]
DAYS = ["2024-02-29", "2023-12-31", "2024-02-29T10:00:00+01:00", "2024-02-29T23:59:59.5Z", "1801-02-03"]
ODD_DAYS = ["2024", "2024-02", "2023-02-29", "2024-02-29T25:00:00Z", "2024-02-29Z", "", "9999-12-31", " 2024-02-29"]
REFERENCES = ["Patient/{}", "https://hospital.example/fhir/Patient/{}", "Patient/{}/_history/2", "urn:uuid:{}"]
ODD_REFERENCES = [
    "AdverseEvent/{}",
    "Group/{}",
    "#{}",
    "Patient/",
    "Patient/nobody",
    "Patient/{}é",
    "sle-kg-0c7e-patient",
]
TEXTS = ["", "plain", "Müller", 'quoted "', "back\\slash", "line\nbreak", "\u0001", "\ud800", "1801-02-03", "x" * 300]
CODES = ["55464009", "P01BA02", "D07AA01", "26643006", "active", "refuted", "BID", "8640", "5521", "x|y", ""]
IDS = ["a/b", "", "ü", "a b", 'q"', "sle-kg-0c7e-id", "x" * 100]


def coded(system, code, **elements):
    return {"coding": [{"system": system, "code": code} | elements]}


def quantity(number, unit):
    return {"value": f"@{number}@", "unit": unit, "system": UCUM, "code": unit}


def observation(dice):
    """A result of some test, with the number as it is to stand in the text."""
    code, unit = dice.choice([("1742-6", "U/L"), ("2160-0", "mg/dL"), ("777-3", "10*9/L"), ("1-8", "mg")])
    found = {"resourceType": "Observation", "status": dice.choice(["final", "final", "final", "preliminary"])}
    found |= {"code": coded(LOINC, code, display=dice.choice(["Test", "Prüfung"]))}
    found["effectiveDateTime"] = None
    number = dice.choice(NUMBERS if dice.random() < 0.9 else WRONG_NUMBERS)
    match dice.randrange(8):
        case 0:
            found["valueString"] = dice.choice(["< 5", "positive", *TEXTS])
        case 1:
            found["valueCodeableConcept"] = coded(SNOMED, dice.choice(["10828004", "260385009", "363346000"]))
        case 2:
            names = ("alopecia", "arthritis", "fever")
            answers = [
                {"code": coded(LOCAL, f"sledai2k:{name}"), "valueBoolean": dice.random() < 0.5} for name in names
            ]
            results = [
                {"code": coded(LOINC, code), "valueQuantity": quantity(dice.choice(NUMBERS), "mg/dL")}
                for code in dice.choices(["2160-0", "1975-2", "1-8"], k=dice.randrange(3))
            ]
            found |= {"code": coded(LOCAL, "sledai2kTotal"), "component": answers + results}
            found["valueQuantity"] = quantity(dice.randrange(12), "{score}")
        case 3:
            found |= {"code": coded(LOCAL, "crsGrade"), "valueQuantity": quantity(dice.choice("1234"), "{score}")}
            if dice.random() < 0.5:
                found["focus"] = [{"reference": f"AdverseEvent/{dice.choice('xyz')}"}]
        case 4:
            found |= {"code": coded(LOCAL, f"event:infusion/{dice.choice(['NCT1', 'NCT2'])}"), "valueDateTime": None}
        case _:
            found["valueQuantity"] = quantity(number, unit)
            if dice.random() < 0.5:
                found["referenceRange"] = [{"high": quantity(dice.choice(["5", "40", "5.0"]), unit)}]
            if dice.random() < 0.1:
                found["valueQuantity"]["comparator"] = dice.choice(["<", ">=", "~"])
    if dice.random() < 0.1:
        found["code"] = coded(SNOMED, dice.choice(["363346000", "116859006", "1"]))
    return found


def other(dice):
    """A diagnosis, medicine or procedure with several dates."""
    kind = dice.choice(["Condition", "MedicationStatement", "MedicationRequest", "Procedure", "AllergyIntolerance"])
    code = coded("http://www.whocc.no/atc", "P01BA02") if kind.startswith("Medication") else coded(SNOMED, "55464009")
    found = {"resourceType": kind, "status": dice.choice(["active", "completed", "stopped"])}
    if kind == "Condition":
        found |= {"code": code, "onsetDateTime": None, "recordedDate": None}
        if dice.random() < 0.5:
            found |= dice.choice([{"abatementDateTime": None}, {"abatementPeriod": {"start": None}}])
    elif kind == "MedicationStatement":
        found |= {"medicationCodeableConcept": code, "dateAsserted": None, "effectivePeriod": {"start": None}}
        if dice.random() < 0.6:
            found["effectivePeriod"]["end"] = None
        daily = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
        oral = {"route": coded(SNOMED, "26643006"), "timing": daily}
        found["dosage"] = [
            {"doseAndRate": [{"doseQuantity": quantity(dice.choice(["200", "5.0"]), "mg")}]}
            | dice.choice([{}, {"timing": {"code": coded(SNOMED, "BID")}}, {"route": coded(SNOMED, "26643006")}, oral])
            for _ in range(dice.choice([1, 1, 2]))
        ]
        if dice.random() < 0.3:
            bounds = {"boundsPeriod": {"start": None, "end": None}}
            repeat = dice.choice([bounds, bounds, {"boundsDuration": quantity("30", "d")}, {"count": 3}])
            found["dosage"][-1]["timing"] = {"repeat": repeat}
    elif kind == "MedicationRequest":
        found |= {"medicationCodeableConcept": code, "intent": "order", "authoredOn": None}
        if dice.random() < 0.5:
            del found["medicationCodeableConcept"]
            code = coded(RXNORM, "5521")
            parts = [{"itemCodeableConcept": coded(RXNORM, "8640")}]
            inside = {"resourceType": "Medication", "id": "m", "code": code, "ingredient": parts}
            found |= {"contained": [inside], "medicationReference": {"reference": "#m"}}
    elif kind == "Procedure":
        found |= {"code": code, "performedPeriod": {"start": None} | dice.choice([{"end": None}, {}])}
    else:
        found |= {"code": code, "recordedDate": None}
        found["patient"] = None
        found["reaction"] = [{"substance": code}]
    if kind in ("Condition", "AllergyIntolerance"):
        found |= {"clinicalStatus": coded(SNOMED, "active"), "verificationStatus": coded(SNOMED, "confirmed")}
        found |= {"severity": coded(SNOMED, "24484000"), "category": [coded(SNOMED, "problem-list-item")]}
    return found


def with_codes(value, dice):
    """The value with other codes and displays, now and then a second coding or a text."""
    if isinstance(value, list):
        return [with_codes(item, dice) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: with_codes(item, dice) for name, item in value.items()}
    if "coding" in found:
        coding = found["coding"][0] | {"code": dice.choice(CODES)}
        coding |= {"display": dice.choice(["Lupus", *TEXTS])} if dice.random() < 0.5 else {}
        found["coding"] = [coding, *([coding | {"code": dice.choice(CODES)}] if dice.random() < 0.1 else [])]
        found |= {"text": dice.choice(TEXTS)} if dice.random() < 0.1 else {}
    return found


def with_dates(value, dice):
    """The value with days in the places of None."""
    if value is None:
        return dice.choice(DAYS if dice.random() < 0.9 else ODD_DAYS)
    if isinstance(value, dict):
        return {name: item if name == "patient" else with_dates(item, dice) for name, item in value.items()}
    return [with_dates(item, dice) for item in value] if isinstance(value, list) else value


def line(form, number, dice):
    """One line of a form: id, patient, dates and what no rule reads are new."""
    found = with_dates(form, dice)
    if found["resourceType"] != "Observation" and dice.random() < 0.3:
        found = with_codes(found, dice)
    odd = dice.random() < 0.08
    patient = dice.choice("ab")
    reference = dice.choice(ODD_REFERENCES if odd else REFERENCES).format(patient)
    subject = "patient" if "patient" in found else "subject"
    found[subject] = {"reference": reference} | ({"display": dice.choice(TEXTS)} if dice.random() < 0.3 else {})
    if dice.random() < 0.95:
        found["id"] = dice.choice(IDS) if dice.random() < 0.05 else f"r{number}"
    if dice.random() < 0.3:
        found["meta"] = {"versionId": str(number), "tag": [{"code": dice.choice(TEXTS)}]}
    if dice.random() < 0.2:
        found["text"] = {"div": f'<div xmlns="x">{dice.choice(TEXTS)}</div>'}
    names = list(found)
    if dice.random() < 0.1:
        dice.shuffle(names)
    separators = dice.choice([(",", ":"), (",", ":"), (", ", ": ")])
    text = json.dumps(
        {name: found[name] for name in names}, ensure_ascii=dice.random() < 0.5, separators=separators
    ).encode("utf-8", "surrogatepass")
    text = re.sub(rb'"@([^@]*)@"', lambda match: json.loads(b'"' + match[1] + b'"').encode(), text)
    if dice.random() < 0.03:
        text = dice.choice(
            [
                text[:-20],
                text.replace(b'"status"', b'"status":"x","status"', 1),
                text.replace(b'"id":"', b'"id":"twice","id":"', 1),
                text.replace(b'"meta":{', b'"meta":{"versionId":"twice",', 1),
                text.replace(b"r", b"\xff", 1),
                text + b"}",
                b"\xef\xbb\xbf" + text,
            ]
        )
    return text + dice.choice([b"", b"", b"", b"\r", b"  "])


def hostile_lines(seed, number):
    """Lines of a number of forms, most of them of known forms, many odd in one place."""
    dice = random.Random(seed)
    patients = [{"resourceType": "Patient", "id": name, "birthDate": "1990-01-01"} for name in "ab"]
    shapes = [dice.choice([observation, observation, other])(dice) for _ in range(max(1, number // 40))]
    lines = [line(dice.choice(shapes), place, dice) for place in range(number)]
    return [*(json.dumps(one).encode() for one in patients), *lines]


def told(folder):
    """Every final file, without the names of the sources."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "ingest.json"}


def compared(source, folder, monkeypatch):
    """How many lines are read by themselves; the tables are those of an ingest that reads every line so."""
    alone = []
    read_text = fhir.PieceReader._read_text

    def reading(self, content, place, number):
        alone.append(number) if not isinstance(self, fhir.LineProbe) else None
        read_text(self, content, place, number)

    with monkeypatch.context() as patched:
        patched.setattr(fhir.PieceReader, "_read_text", reading)
        summary = ingest_cohort([str(source)], folder / "filled", Options(workers=1))
    with monkeypatch.context() as patched:
        patched.setattr(forms.Forms, "fill", lambda self, texts, fill: fhir.each_line(texts))
        assert ingest_cohort([str(source)], folder / "alone", Options(workers=1)) == summary
    assert told(folder / "filled") == told(folder / "alone")
    return len(alone)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 16))])
def test_hostile_lines_give_the_same_filled_in_or_alone(seed, tmp_path, monkeypatch):
    work._forms.cache_clear()
    monkeypatch.setattr(pieces, "PIECE", 200_000)
    monkeypatch.setattr(forms, "_SAMPLE", 1)
    monkeypatch.setattr(forms, "_SEVERAL", 1)
    monkeypatch.setattr(forms, "_MOST_LAYOUTS", 200)
    by_columns = []
    columns_of = blocks.columns_of

    def counted(*arguments):
        found = columns_of(*arguments)
        by_columns.append(len(found.places))
        return found

    monkeypatch.setattr(forms, "columns_of", counted)
    lines = hostile_lines(seed, 1500 if seed > 1 else 800)
    monkeypatch.setattr(probe, "_MOST_GIVEN", 20)
    source = tmp_path / "lines"
    source.mkdir()
    for number in range(3):
        (source / f"{number}.ndjson").write_bytes(b"\n".join(lines[number::3]) + b"\n")
    ingest_cohort([str(source)], tmp_path / "learnt", Options(workers=1))
    by_columns.clear()
    assert compared(source, tmp_path, monkeypatch) < 2 * len(lines) // 3
    assert told(tmp_path / "learnt") == told(tmp_path / "filled")
    assert sum(by_columns) > len(lines) // 6


def test_columns_are_cut_where_lines_are():
    dice = random.Random(1)
    steps = [b'"id":"', b'"reference":"', b'"date":"']
    layout = Layout(tuple((step, False) for step in steps), 0, 1, (2,), ())
    texts = [b'{"x":', b'p"', b'q"', b'"', b",", b"}", b"", *steps]
    lines = [b"".join(dice.choices(texts, k=dice.randint(0, 12))) for _ in range(20_000)]
    lines += [b'{"id":"%d","reference":"","date":"2020"}' % number for number in range(100)]
    left, found, numbers = blocks._cut(layout, pa.array(lines, pa.large_binary()), pa.arange(0, len(lines)))
    kept = numbers.to_pylist()
    assert set(range(20_000, 20_100)) < set(kept)
    told = [(form, list(each)) for form, *each in zip(left.to_pylist(), *map(pa.Array.to_pylist, found), strict=True)]
    assert told == [layout.cut(lines[number]) for number in kept]


def test_two_streams_become_one_in_order():
    dice = random.Random(2)
    keys = sorted({(dice.randrange(40), f"r{dice.randrange(100)}") for _ in range(1500)})
    shares = [[key for key in keys if hash(key) % 4], [key for key in keys if not hash(key) % 4], []]

    def batches(share):
        rows = pa.table({"place": [place for place, _ in share], "record": [record for _, record in share]})
        return rows.cast(pa.schema([("place", pa.int32()), ("record", pa.string())])).to_batches(dice.randint(5, 99))

    for one, other in itertools.permutations(shares, 2):
        told = [row for batch in filling._in_order(batches(one), batches(other)) for row in batch.to_pylist()]
        assert [(row["place"], row["record"]) for row in told] == sorted(one + other)


def test_templates_beyond_those_held_give_the_same(tmp_path, monkeypatch):
    write_cohort(tmp_path / "export", 2, 4)
    ingest_cohort([str(tmp_path / "export")], tmp_path / "all", Options(workers=1))
    monkeypatch.setattr(filling, "HELD", 40)
    monkeypatch.setattr(filling, "BATCH", 2048)
    monkeypatch.setattr(filling, "SORTED", 500)
    monkeypatch.setattr(forms, "_ROOM", 100_000)
    ingest_cohort([str(tmp_path / "export")], tmp_path / "few", Options(workers=1))
    assert told(tmp_path / "few") == told(tmp_path / "all")


def test_of_an_export_few_lines_are_read_by_themselves(tmp_path, monkeypatch):
    write_cohort(tmp_path / "export", 4, 5)
    work._forms.cache_clear()
    lines = sum(file.read_bytes().count(b"\n") for file in (tmp_path / "export").glob("*.ndjson"))
    assert compared(tmp_path / "export", tmp_path, monkeypatch) < lines // 20
