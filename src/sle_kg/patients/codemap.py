"""The user's own codes: a CSV file with the columns system, code and key, where key may be `other` or a route."""

from __future__ import annotations

import csv
from pathlib import Path

from sle_kg.codes import ROUTES, normalise_system
from sle_kg.errors import InputError
from sle_kg.terminology import OTHER, Terminology

_COLUMNS = ["system", "code", "key"]


def read_code_map(file: Path, terminology: Terminology, routes: bool = True) -> dict[tuple[str, str], str]:
    """The keys of the user's codes by (system, code); without `routes` only those of what records are about.

    Raises InputError, naming the line and the cure, for a file that cannot be read, a wrong header or number of
    columns, an unknown key, and a code that is given two keys.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = [(number, row) for number, row in enumerate(csv.reader(stream, strict=True), 1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{file}: the code map cannot be read ({why}): give a CSV file in UTF-8") from error
    if not rows or [cell.strip() for cell in rows[0][1]] != _COLUMNS:
        raise InputError(f"{file}, line 1: a code map starts with the header system,code,key")
    found: dict[tuple[str, str], str] = {}
    for number, row in rows[1:]:
        if len(row) != len(_COLUMNS):
            raise InputError(f"{file}, line {number}: {len(row)} columns instead of system,code,key")
        system, code, key = (cell.strip() for cell in row)
        if not code:
            raise InputError(f"{file}, line {number}: the column code is empty")
        if key not in (OTHER, *ROUTES) and not terminology.knows(key):
            raise InputError(
                f"{file}, line {number}: {key!r} is no key of the fact tables: use one of them, or {OTHER!r}"
            )
        known = found.setdefault((normalise_system(system), code), key)
        if known != key:
            raise InputError(f"{file}, line {number}: the code {code!r} already has the key {known!r}")
    return found if routes else {code: key for code, key in found.items() if key not in ROUTES}
