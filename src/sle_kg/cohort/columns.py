"""What is judged of a chunk for one trial, as numpy columns: a value for each patient, in the same order in all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sle_kg.cohort.judge import JUDGED, SAID, SqlJudge
from sle_kg.cohort.kleene import FALSE, TRUE, UNKNOWN, Flags, Patients, Truths
from sle_kg.criteria import Leaf, Trial
from sle_kg.features.sql import WORDS
from sle_kg.features.wide import WIDE
from sle_kg.sql_plan import LeafKey, leaf_key
from sle_kg.verdict import Status, VerdictWord

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Numbers = npt.NDArray[np.int64]
"""Numbers of patients in `PERSON`."""
Places = npt.NDArray[np.intp]
"""Some patients of a chunk, by their place in its columns."""


class Columns:
    """The statuses and comparisons of one trial, and what is attested of its rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, judge: SqlJudge, trial: Trial) -> None:
        self._judge, self._trial = judge, trial.id
        self._status, self._leaves = judge.status_columns(trial.id), judge.trial_columns(trial.id).leaves
        names = dict.fromkeys(["number", *self._status.rows.values(), self._status.verdict, *self._leaves.values()])
        self._judged = connection.sql(f"SELECT {', '.join(names)} FROM {JUDGED}").to_arrow_table().combine_chunks()
        self.numbers: Numbers = self._judged["number"].to_numpy().astype(np.int64)
        """The number of each patient."""
        self._place = np.zeros(self.numbers.max(initial=-1) + 1, np.intp)
        self._place[self.numbers] = np.arange(len(self.numbers))
        self._truths: dict[LeafKey, Truths] = {}
        self._words: dict[str, npt.NDArray[np.integer]] = {}
        self._bits = self._read_bits(connection, trial)

    def verdict_is(self, word: VerdictWord) -> Flags:
        """Whose verdict is this."""
        return self._is(self._status.verdict, word)

    def status_is(self, row: str, word: Status) -> Flags:
        """Of whom a row has this status."""
        return self._is(self._status.rows[row], word)

    def truths(self, leaf: Leaf) -> Truths:
        """The truths of a comparison: one of the trial, or one that `compare` made."""
        key = leaf_key(leaf)
        if key not in self._truths:
            self._truths[key] = _truths(self._judged[self._leaves[key]])
        return self._truths[key]

    def compare(self, connection: duckdb.DuckDBPyConnection, comparisons: Mapping[LeafKey, str], here: Places) -> None:
        """Make further comparisons (SQL over `WIDE`) of some patients; those of others stay unknown."""
        further = {key: sql for key, sql in comparisons.items() if key not in self._leaves}
        if not further:
            return
        connection.register("these_numbers", {"number": self.numbers[here]})
        query = f"SELECT number, {', '.join(further.values())} FROM {WIDE} SEMI JOIN these_numbers USING (number)"
        number, *found = connection.sql(query).to_arrow_table().columns
        connection.unregister("these_numbers")
        where = self._place[number.to_numpy()]
        for key, column in zip(further, found, strict=True):
            self._truths[key] = np.full(len(self.numbers), UNKNOWN, np.int8)
            self._truths[key][where] = _truths(column)

    def patients(self, here: Places, rows: Iterable[str]) -> Patients:
        """What is known of some patients; of `rows`, what is attested of them."""

        def compared(leaf: Leaf) -> Truths:
            return self.truths(leaf)[here]

        attested = {}
        for row in rows:
            (yes, no), bit = self._judge.said_place(self._trial, row)
            if yes in self._bits:
                flags = self._bits[yes][here] >> bit & 1 == 1, self._bits[no][here] >> bit & 1 == 1
                if flags[0].any() or flags[1].any():
                    attested[row] = flags
        return Patients(len(here), compared, attested)

    def _is(self, name: str, word: str) -> Flags:
        if name not in self._words:
            self._words[name] = self._places_of_words(name)
        found: Flags = self._words[name] == WORDS.index(word)
        return found

    def _places_of_words(self, name: str) -> npt.NDArray[np.integer]:
        """The place of each word among `WORDS`: of DuckDB's type for them, or of text, as other engines give it."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self._judged[name].combine_chunks()
        coded = column.indices if pa.types.is_dictionary(column.type) else pc.index_in(column, pa.array(WORDS))
        return np.asarray(coded)

    def _read_bits(self, connection: duckdb.DuckDBPyConnection, trial: Trial) -> dict[str, npt.NDArray[np.int64]]:
        """The columns of `SAID` with rows of the trial, 0 for who has no attestation."""
        rows = (self._judge.said_place(trial.id, row.id)[0] for row in trial.criteria)
        names = dict.fromkeys(["number", *(name for both in rows for name in both)])
        said = connection.sql(f"SELECT {', '.join(names)} FROM {SAID}").to_arrow_table()
        where, found = self._place[said["number"].to_numpy()], {}
        for name in said.column_names if len(said) else ():
            found[name] = np.zeros(len(self.numbers), np.int64)
            found[name][where] = said[name].to_numpy()
        return found


def _truths(column: pa.ChunkedArray) -> Truths:
    """The truths that a column of booleans holds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    true, false, unknown = (pa.scalar(truth, pa.int8()) for truth in (TRUE, FALSE, UNKNOWN))
    truths: Truths = pc.fill_null(pc.if_else(column.combine_chunks(), true, false), unknown).to_numpy()
    return truths
