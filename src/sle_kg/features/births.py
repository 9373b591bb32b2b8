"""Facts whose date lies before the patient's birth: the date is wrong, and so perhaps the fact.

What cannot be is not believed (rule 5 of CONTRACT section 4 knows no such date): the date is not known, a diagnosis,
medicine, procedure, vaccine or allergy is uncertain, and a result or statement says nothing, as where a date is none.
`patients.recorder` does the same, and tells of it, where it knows the patient; here it is done for fact tables.
"""

from __future__ import annotations

from collections.abc import Mapping

from sle_kg.patients.facts import COLUMNS

_NOTHING = "NULL"
_IF_CONFIRMED = "CASE {0} WHEN 'confirmed' THEN 'uncertain' ELSE {0} END"
_DOUBTED: dict[str, dict[str, str]] = {
    "measurement": dict.fromkeys(("low", "high", "uln", "positive", "below_quantification", "text"), _NOTHING),
    "condition": {"status": _IF_CONFIRMED, "ongoing": _NOTHING},
    "exposure": {"taken": "CASE {0} WHEN 'no' THEN 'no' ELSE 'uncertain' END", "ongoing": _NOTHING},
    "procedure": {"done": "'uncertain'"},
    "immunization": {"given": "'uncertain'"},
    "allergy": {"status": _IF_CONFIRMED},
    "statement": {"value": _NOTHING, "amount": _NOTHING},
}
"""What becomes of the columns of a row of which a date lies before birth; `{0}` is the column."""
DATED = tuple(_DOUBTED)
"""The fact tables whose dates are compared with birth."""
_TOGETHER = ("procedure",)
"""Tables of which all dates are given up with one."""


def believed(table: str, columns: Mapping[str, str], born: str) -> dict[str, str]:
    """Columns of a fact table as SQL, by name: what is believed of them, `born` being the first possible day of birth.

    `columns` gives each column as it is in the table.
    """
    if table not in _DOUBTED:
        return dict(columns)
    pairs = [(name, name.replace("_from", "_to")) for name in COLUMNS[table] if name.endswith("_from")]
    wrong = " OR ".join(f"{columns[last]} < {born}" for _, last in pairs)
    made = dict(columns)
    for first, last in pairs:
        gone = wrong if table in _TOGETHER else f"coalesce({columns[last]}, {columns[first]}) < {born}"
        made |= {name: f"CASE WHEN {gone} THEN NULL ELSE {columns[name]} END" for name in (first, last)}
    for name, doubted in _DOUBTED[table].items():
        if name in columns:
            made[name] = f"CASE WHEN {wrong} THEN {doubted.format(columns[name])} ELSE {columns[name]} END"
    return made
