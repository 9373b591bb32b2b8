"""Measurements that a cohort keeps: every test that any of its queries compares with."""

from __future__ import annotations

import datetime as dt

import sqlglot
from sqlglot.tokens import TokenType

from sle_kg import ontology
from sle_kg.features.asks import FeatureOptions
from sle_kg.features.wide import WideScript
from sle_kg.terminology import terminology
from sle_kg.trials import screenable


def literals(sql: str) -> set[str]:
    return {one.text for one in sqlglot.tokenize(sql, read="duckdb") if one.token_type == TokenType.STRING}


def test_every_test_that_a_query_names_is_kept() -> None:
    wanted = {trial.id: trial.features() for trial in screenable().values()}
    script = WideScript(wanted, dt.date(2026, 11, 21), {}, FeatureOptions(), terminology())
    statements = {one.name: one.select for one in script.statements()}
    kept = literals(statements.pop("fact_measurement"))
    known = set(ontology.laboratory_tests())
    named = known.intersection(set().union(*map(literals, statements.values())))
    rows = next(one.rows for one in script.references([]) if one.name == "wanted_test")
    assert "supplementalOxygen" in named
    assert named | {row[1] for row in rows} <= kept
    assert known - kept
