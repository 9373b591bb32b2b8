"""Synthetic patients as the project's fact tables in Parquet, read from their FHIR form by the project's own reader."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable
from pathlib import Path

from sle_kg.patients.facts import COLUMNS, schema
from sle_kg.patients.read import read_patients
from sle_kg.synthetic.fhir import ndjson, resources
from sle_kg.synthetic.records import SyntheticPatient


class TableWriter:
    """Collects patients, group by group, into one Parquet file for each fact table."""

    def __init__(self) -> None:
        import pyarrow.parquet as pq

        self._buffers = {table: io.BytesIO() for table in COLUMNS}
        self._writers = {
            table: pq.ParquetWriter(buffer, schema(table), compression="zstd")
            for table, buffer in self._buffers.items()
        }

    def add(self, patients: Iterable[SyntheticPatient]) -> None:
        """Append the facts of some patients to every table."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "patients.ndjson"
            file.write_bytes(ndjson(resource for patient in patients for resource in resources(patient)))
            tables = read_patients([file]).tables
        for table, writer in self._writers.items():
            writer.write_table(tables[table])

    def files(self) -> dict[str, bytes]:
        """The finished files by name, `measurement.parquet` and so on."""
        for writer in self._writers.values():
            writer.close()
        return {f"{table}.parquet": buffer.getvalue() for table, buffer in self._buffers.items()}
