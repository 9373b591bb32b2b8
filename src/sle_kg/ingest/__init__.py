"""Patient tables for whole hospitals: FHIR bulk exports, OMOP databases and CSV to the fact tables in Parquet.

Every source becomes raw records (`patients/raw.py`), and `patients/interpret.py` alone applies the rules of reading, so
one patient and a million have the same facts. Inputs are cut into pieces (`pieces`), several processes write the part
tables of each (`parts`, `work`), and DuckDB merges the parts, out of memory where need be (`merge`).
"""

from __future__ import annotations

from sle_kg.ingest.run import Options, Summary, ingest_cohort

__all__ = ["Options", "Summary", "ingest_cohort"]
