"""Facts that the patient himself contradicts: a date before his birth, a limit of normal for the other sex.

What cannot be is not believed (rule 5 of CONTRACT section 4 knows no such date): the date is not known, a diagnosis,
medicine, procedure, vaccine or allergy is uncertain, and a result or statement says nothing, as where a date is none.
`patients.recorder` does the same, and tells of it, where it knows the patient; here it is done for fact tables. A limit
that is for one sex is known only of patients of whom that sex is recorded.
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
_BESIDE = {"exposure": ("recorded_from",)}
"""Dates that make no fact doubtful, though they are not known before birth: when a medicine was stated."""
_TOGETHER = ("procedure",)
"""Tables of which all dates are given up with one."""


def believed(table: str, columns: Mapping[str, str], person: str) -> dict[str, str]:
    """Columns of a fact table as SQL, by name: what is believed of them.

    `columns` gives each column as it is in the table, `person` the alias of the patients, with `born`, the first
    possible day of birth, and `sex`.
    """
    if table not in _DOUBTED:
        return dict(columns)
    born = f"{person}.born"
    pairs = [(name, name.replace("_from", "_to")) for name in COLUMNS[table] if name.endswith("_from")]
    doubtful = (last for first, last in pairs if first not in _BESIDE.get(table, ()))
    wrong = " OR ".join(f"{columns[last]} < {born}" for last in doubtful)
    made = dict(columns)
    if table == "measurement":
        other = f"{columns['limits_for']} IS DISTINCT FROM {person}.sex AND {columns['limits_for']} IS NOT NULL"
        made |= {one: f"CASE WHEN {other} THEN NULL ELSE {columns[one]} END" for one in ("uln", "lln") if one in made}
    for first, last in pairs:
        gone = wrong if table in _TOGETHER else f"coalesce({columns[last]}, {columns[first]}) < {born}"
        made |= {name: f"CASE WHEN {gone} THEN NULL ELSE {columns[name]} END" for name in (first, last)}
    for name, doubted in _DOUBTED[table].items():
        if name in columns:
            made[name] = f"CASE WHEN {wrong} THEN {doubted.format(columns[name])} ELSE {made[name]} END"
    return made
