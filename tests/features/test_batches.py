"""Which features share a query, and how the database of queries is set up."""

from __future__ import annotations

import itertools
import subprocess
import sys

from sle_kg.features import batches
from sle_kg.features.database import COSTLY_STEPS, empty_database
from sle_kg.trials import screenable


def test_every_feature_is_in_one_batch_of_its_kind() -> None:
    features = sorted({one for trial in screenable().values() for one in trial.features()}, key=lambda one: one.slug)
    together = batches(features)
    assert sorted(itertools.chain(*together)) == list(range(len(features)))
    assert all(len({features[number].kind for number in batch}) == 1 for batch in together)


def test_doses_as_prednisone_are_apart_from_others() -> None:
    features = sorted({one for trial in screenable().values() for one in trial.features()}, key=lambda one: one.slug)
    asked = {
        tuple(sorted({str(features[number].get("equivalence")) for number in batch}))
        for batch in batches(features)
        if features[batch[0]].kind == "DailyDoseCondition"
    }
    assert asked == {("prednisone",), ("none",), ("mycophenolateMofetil", "none")}


def test_the_steps_left_out_are_known_to_the_database() -> None:
    with empty_database() as connection:
        (left_out,) = connection.execute("SELECT current_setting('disabled_optimizers')").fetchall()[0]
    assert set(left_out.split(",")) == COSTLY_STEPS


def test_no_progress_bar_is_written_to_standard_output() -> None:
    """DuckDB would write one where it takes the program for interactive, as `python -c` is."""
    script = """
from sle_kg.engines.sql import SqlEngine
from sle_kg.features.database import empty_database
for connection in (empty_database(), SqlEngine()._connection):
    print(connection.execute("SELECT current_setting('enable_progress_bar')").fetchone())
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told == "(False,)\n(False,)\n"
