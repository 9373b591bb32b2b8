"""The yardstick: the three screenable trials written by hand as SQL for DuckDB, by somebody who knows them well.

It reads the same fact tables as the program, under default readings and windows, and gives the status of every row and
the verdict of every trial for each patient. It has no evidence, no search of dates, no other readings or trials: what
generality costs is what a comparison with it shows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from sle_kg.criteria import Feature, Trial
from sle_kg.features.database import load_rows, names_of
from sle_kg.terminology import terminology
from sle_kg.trials import screenable

FOLDER = Path(__file__).parent
PREFIXES = {"NCT06106906": "a", "NCT06150651": "b", "NCT06892145": "c"}
"""What the columns of a trial begin with."""
CONTRAINDICATED = ("Antimalarial", "Mycophenolate", "azathioprine", "cyclophosphamide")
ALLERGENS = ("ConventionalImmunosuppressant", "prednisoneOrPrednisolone")
DRUGS = {
    "ivig": "ivig",
    "suppressant": "systemicImmunosuppressant",
    "anti_infective": "antiInfectiveAny",
    "anticoagulant": "anticoagulantAny",
    "antimalarial": "Antimalarial",
    "mycophenolate": "Mycophenolate",
    "azathioprine": "azathioprine",
    "cyclophosphamide": "cyclophosphamide",
    "glucocorticoid": "Glucocorticoid",
    "hydroxychloroquine": "hydroxychloroquine",
    "b_cell": "bCellTargetedNarrow",
    "car_t": "carTCellProduct",
    "jak": "commercialJAKInhibitor",
    "btk": "BTKInhibitor",
    "biologic": "biologicOtherThanBCellNarrow",
    "lupus_biologic": "approvedLupusBiologic",
    "conventional": "ConventionalImmunosuppressant",
    "investigational": "investigationalLupusProduct",
    "standard": "standardLupusTreatment",
    "tb": "tbPreventiveAny",
    "named": "namedLupusTreatment",
}
"""Columns of `drug_code` and the value sets that they tell of."""
ATTRIBUTES = {
    "moiety": "text",
    "prednisone_numerator": "whole",
    "prednisone_denominator": "whole",
    "mmf_numerator": "whole",
    "mmf_denominator": "whole",
    "ambiguous_mmf": "flag",
    "washout3": "whole",
    "washout5": "whole",
}


def load_codes(connection: duckdb.DuckDBPyConnection) -> None:
    """The reference tables: which concepts of the fact tables are in which value set, and weights of scores."""
    _load_diagnoses_and_procedures(connection)
    _load_drugs(connection)
    _load_other_codes(connection)
    _load_scores(connection)


def judge(
    connection: duckdb.DuckDBPyConnection,
    on: dt.date,
    complete: Iterable[str] = (),
    consented_on: dt.date | None = None,
    *,
    verdicts: bool = True,
) -> None:
    """Make the table `judged` from the fact tables `patient`, `measurement` … and the reference tables.

    Without `verdicts` only what it is made of: facts grouped by patient.
    """
    sections = ", ".join(f"'{section}'" for section in complete)
    connection.execute("SET error_on_division_by_zero = false")
    connection.execute(f"SET VARIABLE judged_on = DATE '{on}'")
    consent = f"DATE '{consented_on}'" if consented_on else "NULL::DATE"
    connection.execute(f"SET VARIABLE consented_on = {consent}")
    connection.execute(f"SET VARIABLE complete = [{sections}]::VARCHAR[]")
    for statement in statements(verdicts=verdicts):
        connection.execute(statement)


def statements(*, verdicts: bool = True) -> list[str]:
    """The statements of the yardstick, in their order; without `verdicts` not those of the last file."""
    files = sorted(FOLDER.glob("*.sql"))
    read = files if verdicts else files[:-1]
    return [text for file in read for text in _split(file.read_text(encoding="utf-8"))]


def column(trial: str, row: str) -> str:
    """The column of a row in `judged`."""
    return f"{PREFIXES[trial]}_{row.replace('.', '_')}"


def _split(text: str) -> list[str]:
    lines = [line.partition("--")[0].rstrip() for line in text.splitlines()]
    return [part for part in "\n".join(lines).split(";\n") if part.strip(" \n;")]


def _concepts(connection: duckdb.DuckDBPyConnection, *tables: str) -> list[str]:
    union = " UNION ".join(f"SELECT concept FROM {table}" for table in tables)
    return [row[0] for row in connection.execute(f"{union} ORDER BY 1").fetchall() if row[0]]


def _fill(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: Iterable[Any]) -> None:
    load_rows(connection, name, columns, [tuple(row) for row in rows])


def _features(kinds: Iterable[str]) -> list[Feature]:
    trials: list[Trial] = list(screenable().values())
    return [feature for trial in trials for feature in trial.features() if feature.kind in set(kinds)]


def _sets(*kinds: str) -> list[str]:
    return sorted({name for feature in _features(kinds) for name in names_of(feature, "valueSet")})


def _load_diagnoses_and_procedures(connection: duckdb.DuckDBPyConnection) -> None:
    terms, concepts = terminology(), _concepts(connection, "source_condition")
    procedures = _sets("ProcedureCondition")
    wanted = sorted(
        {*_sets("DiagnosisCondition", "DiagnosisCountCondition"), *procedures, "sleDiagnosis", "pregnancyCondition"}
    )
    member = {(concept, name): status for concept, name, status in terms.membership(concepts, wanted)}
    refuting = set(terms.refuting(concepts, wanted))
    columns = {"concept": "text", "value_set": "text", "status": "text", "refutes": "flag"}
    rows = [(*pair, member.get(pair, "outside"), pair in refuting) for pair in sorted({*member, *refuting})]
    _fill(connection, "diagnosis_code", columns, rows)
    concepts = _concepts(connection, "source_procedure")
    columns = {"concept": "text", "value_set": "text", "status": "text"}
    _fill(connection, "procedure_code", columns, terms.membership(concepts, procedures))
    donations = sorted({concept for concept, *_ in terms.membership(concepts, ["bloodDonationAny"])})
    _fill(connection, "donation_code", {"concept": "text"}, [(concept,) for concept in donations])


def _load_drugs(connection: duckdb.DuckDBPyConnection) -> None:
    terms, concepts = terminology(), _concepts(connection, "source_exposure")
    member = {(concept, name): status == "in" for concept, name, status in terms.membership(concepts, DRUGS.values())}
    drugs = {drug.concept: drug for drug in terms.drug_attributes(concepts)}
    used = sorted({concept for concept, _ in member})
    columns = {"concept": "text"} | dict.fromkeys(DRUGS, "flag") | ATTRIBUTES
    rows = [
        (
            concept,
            *(member.get((concept, name)) for name in DRUGS.values()),
            *(getattr(drugs.get(concept), attribute, None) for attribute in ATTRIBUTES),
        )
        for concept in used
    ]
    _fill(connection, "drug_code", columns, rows)


def _load_other_codes(connection: duckdb.DuckDBPyConnection) -> None:
    terms = terminology()
    vaccines = terms.membership(_concepts(connection, "source_immunization"), ["liveVaccineAny"])
    rows = [(concept, status) for concept, _, status in vaccines]
    _fill(connection, "vaccine_code", {"concept": "text", "status": "text"}, rows)
    allergens: dict[str, str] = {}
    for concept, _, status in terms.membership(_concepts(connection, "source_allergy"), ALLERGENS):
        allergens[concept] = min(status, allergens.get(concept, status))
    _fill(connection, "allergy_code", {"concept": "text", "status": "text"}, sorted(allergens.items()))
    prefix = "contraindication:"
    found = connection.execute(
        f"SELECT DISTINCT statement FROM source_statement WHERE statement LIKE '{prefix}%'"
    ).fetchall()
    keys = sorted(text.removeprefix(prefix) for (text,) in found)
    single = {
        (key, name): key == name for key, name, status in terms.membership(keys, CONTRAINDICATED) if status == "in"
    }
    single |= {(name, name): True for name in CONTRAINDICATED}
    columns = {"statement": "text", "value_set": "text", "single": "flag"}
    rows = [(prefix + key, name, alone) for (key, name), alone in sorted(single.items())]
    _fill(connection, "contraindication_code", columns, rows)


def _load_scores(connection: duckdb.DuckDBPyConnection) -> None:
    from sle_kg import ontology

    rows = [
        (item.key, total, item.weight or 0)
        for name, total in (("sledai2k", "sledai2kTotal"), ("selenaSledai", "selenaSledaiTotal"))
        for item in ontology.instruments()[name].items
    ]
    _fill(connection, "score_item", {"test": "text", "total": "text", "weight": "whole"}, rows)


__all__ = ["column", "judge", "load_codes", "statements"]
