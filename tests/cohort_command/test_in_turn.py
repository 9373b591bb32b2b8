"""Chunks are made by several threads: given in order, not too far ahead, and failures come through."""

from __future__ import annotations

from threading import Event, Lock, get_ident

import pytest

from sle_kg.cohort.run import MOST_MADE, in_turn
from sle_kg.errors import InputError

CHUNKS = "abcdefgh"


class Watched:
    """Makes a capital letter of a letter; keeps which were made, and by which threads."""

    def __init__(self, broken: str = "", waits: bool = False) -> None:
        self.broken, self.waits, self.lock = broken, waits, Lock()
        self.made: list[str] = []
        self.threads: set[int] = set()
        self.second = Event()

    def __call__(self, letter: str) -> str:
        if letter == self.broken:
            raise InputError(f"{letter}: cannot be read")
        with self.lock:
            self.made.append(letter)
            self.threads.add(get_ident())
        if letter == "b":
            self.second.set()
        if letter == "a" and self.waits:
            assert self.second.wait(timeout=30)
        return letter.upper()


def test_a_second_chunk_is_made_while_the_first_is() -> None:
    make = Watched(waits=True)  # the first is not finished before the second is
    assert "".join(in_turn(make, CHUNKS, 2)) == CHUNKS.upper()
    assert get_ident() not in make.threads


def test_no_more_is_begun_than_may_wait() -> None:
    make = Watched()
    given = in_turn(make, CHUNKS, 2)
    assert next(given) == "A"
    given.close()
    assert len(make.made) <= 2 + MOST_MADE


def test_one_at_a_time_is_made_by_who_asks() -> None:
    make = Watched()
    given = in_turn(make, CHUNKS, 1)
    next(given)
    assert (make.made, make.threads) == (["a"], {get_ident()})


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_fails_is_raised_in_its_turn(at_once: int) -> None:
    seen = []
    with pytest.raises(InputError, match="c: cannot be read"):
        for made in in_turn(Watched(broken="c"), CHUNKS, at_once):
            seen.append(made)
    assert seen == ["A", "B"]
