"""A chunk is judged while the one before is looked into: in order, one ahead at most, and failures come through."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, get_ident
from typing import Any

import pytest

from sle_kg.cohort.run import judged_ahead
from sle_kg.errors import InputError

CHUNKS = [("a",), ("b",), ("c",), ("d",)]


class Watched:
    """Gives the patients of a chunk for its database, and keeps what was judged by which thread."""

    name, patients = "watched", 4

    def __init__(self, ahead: bool, broken: str = "") -> None:
        self.ahead, self.broken = ahead, broken
        self.judged: list[str] = []
        self.threads: set[int] = set()
        self.second = Event()

    def chunks(self, most: int | None = None) -> Sequence[tuple[str, ...]]:
        return CHUNKS

    def judge(self, patients: tuple[str, ...]) -> Any:
        if patients[0] == self.broken:
            raise InputError(f"{patients[0]}: cannot be read")
        self.judged.append(patients[0])
        self.threads.add(get_ident())
        if len(self.judged) > 1:
            self.second.set()
        return patients

    def load_facts(self, connection: Any) -> None:
        """Nothing."""


def test_the_next_chunk_is_judged_while_one_is_looked_into() -> None:
    engine = Watched(ahead=True)
    given = judged_ahead(engine, CHUNKS)
    assert next(given) == (("a",), ("a",))
    assert engine.second.wait(timeout=30)  # nobody asked for the second yet
    assert engine.judged == ["a", "b"]
    assert [patients for patients, _ in given] == CHUNKS[1:]
    assert get_ident() not in engine.threads


def test_an_engine_that_keeps_the_last_chunk_is_asked_for_one_at_a_time() -> None:
    engine = Watched(ahead=False)
    given = judged_ahead(engine, CHUNKS)
    next(given)
    assert (engine.judged, engine.threads) == (["a"], {get_ident()})


@pytest.mark.parametrize("ahead", [True, False])
def test_what_fails_is_raised_in_its_turn(ahead: bool) -> None:
    engine = Watched(ahead, broken="c")
    seen = []
    with pytest.raises(InputError, match="c: cannot be read"):
        for patients, _ in judged_ahead(engine, CHUNKS):
            seen.append(patients)
    assert seen == CHUNKS[:2]
