"""Cohorts: whole hospitals from patient tables in Parquet, with the verdicts of `screen` and what they add up to.

`tables` reads patients in chunks, `judge` gives a table of statuses for a chunk, `top_rows` what needs more than
statuses (whether anything speaks against a patient, what would settle him), `summary` counts, `run` does it all.
"""
