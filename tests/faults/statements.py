"""Every statement that DuckDB is given, told to a list; parameters and Arrow tables are no part of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

_TAKE_SQL = frozenset({"execute", "executemany", "sql", "query", "from_query", "query_df"})
_TAKE_NAMES = frozenset({"register", "table", "view", "unregister"})
"""Methods whose first argument becomes part of SQL: statements, and names of tables."""


class Recording:
    """A connection that notes what it is given, and else does what the connection does."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, told: list[str]) -> None:
        self._connection, self._told = connection, told

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name == "cursor":
            return lambda: Recording(found(), self._told)
        return self._noting(found) if name in _TAKE_SQL | _TAKE_NAMES else found

    def _noting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(text: Any, *more: Any, **named: Any) -> Any:
            self._told.append(str(text))
            made = call(text, *more, **named)
            return self if made is self._connection else made

        return noted

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *why: object) -> None:
        self._connection.close()


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements from here on, of all connections that are opened."""
    told: list[str] = []
    connect = duckdb.connect

    def connecting(*arguments: Any, **named: Any) -> Recording:
        return Recording(connect(*arguments, **named), told)

    monkeypatch.setattr(duckdb, "connect", connecting)
    return told
