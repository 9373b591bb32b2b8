"""Which consent to a trial holds: the newest record of it says so, and says nothing against it.

A consent that is withdrawn, replaced or refused, or whose period ended before the day judged, stands against every one
that is not certainly signed on a later day (CONTRACT section 4, rule 8; docs/patient-data.md).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]
"""A row of the table `consent`."""


def stands_against(row: Row, base: dt.date) -> bool:
    """Whether a record of a consent says that there is none, or none any more."""
    ended = row["until_from"] is not None and row["until_from"] < base
    return row["status"] not in ("active", None) or ended


def against(rows: Iterable[Row], base: dt.date) -> list[Row]:
    """The records of one patient and trial that stand against a consent, those that a later one settles left out."""
    seen = [row for row in rows if row["date_from"] is None or row["date_from"] <= base]
    found = [row for row in seen if stands_against(row, base)]
    return [] if any(holds(row, found, base) for row in seen) else found


def holds(row: Row, contrary: Iterable[Row], base: dt.date) -> bool:
    """Whether a consent holds beside what stands `contrary` to one."""
    return not stands_against(row, base) and all(_later(row, other) for other in contrary)


def _later(row: Row, other: Row) -> bool:
    """Whether one record is certainly of a later day than another."""
    return row["date_from"] is not None and other["date_to"] is not None and row["date_from"] > other["date_to"]


def standing(consents: str, group: str, base: str) -> str:
    """SELECT: the rows of `consents` (SQL) that are seen, and whether each `holds`; `barred` where some stand against.

    `group` and `base` are SQL over the alias `c`: what tells patient and trial, and the last day whose facts are seen.
    """
    contrary = f"(coalesce(c.status, 'active') <> 'active' OR coalesce(c.until_from < {base}, false))"
    return f"""
        SELECT d.*, d.last_against IS NOT NULL AS barred,
               NOT d.against AND (d.last_against IS NULL OR coalesce(d.date_from > d.last_against, false)) AS holds
        FROM (
            SELECT c.*, {contrary} AS against,
                   max(CASE WHEN {contrary} THEN coalesce(c.date_to, DATE '9999-12-31') END)
                       OVER (PARTITION BY {group}) AS last_against
            FROM ({consents}) c WHERE c.date_from IS NULL OR c.date_from <= {base}) d"""
