"""What is judged of a chunk for one trial, as numpy columns: a value for each patient, in the same order in all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sle_kg.cohort.judge import JUDGED, SAID, SqlJudge
from sle_kg.cohort.kleene import FALSE, TRUE, UNKNOWN, Flags, Patients, Truths
from sle_kg.criteria import Leaf, Trial
from sle_kg.features.sql import WORDS
from sle_kg.sql_plan import leaf_key
from sle_kg.verdict import Status, VerdictWord

if TYPE_CHECKING:
    import duckdb

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
        self._truths: dict[str, Truths] = {}
        self._words: dict[str, npt.NDArray[np.integer]] = {}
        self._bits = self._read_bits(connection)

    def verdict_is(self, word: VerdictWord) -> Flags:
        """Whose verdict is this."""
        return self._is(self._status.verdict, word)

    def status_is(self, row: str, word: Status) -> Flags:
        """Of whom a row has this status."""
        return self._is(self._status.rows[row], word)

    def patients(self, here: Places, rows: Iterable[str]) -> Patients:
        """What is known of some patients; of `rows`, what is attested of them."""

        def compared(leaf: Leaf) -> Truths:
            return self._compared(self._leaves[leaf_key(leaf)])[here]

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

    def _compared(self, name: str) -> Truths:
        """The truths of a comparison."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if name not in self._truths:
            true, false, unknown = (pa.scalar(truth, pa.int8()) for truth in (TRUE, FALSE, UNKNOWN))
            column = pc.fill_null(pc.if_else(self._judged[name].combine_chunks(), true, false), unknown)
            self._truths[name] = column.to_numpy()
        return self._truths[name]

    def _read_bits(self, connection: duckdb.DuckDBPyConnection) -> dict[str, npt.NDArray[np.int64]]:
        """The columns of `SAID`, 0 for who has no attestation."""
        said = connection.sql(f"FROM {SAID}").to_arrow_table()
        place = np.zeros(self.numbers.max(initial=-1) + 1, np.int64)
        place[self.numbers] = np.arange(len(self.numbers))
        where, found = place[said["number"].to_numpy()], {}
        for name in said.column_names if len(said) else ():
            found[name] = np.zeros(len(self.numbers), np.int64)
            found[name][where] = said[name].to_numpy()
        return found
