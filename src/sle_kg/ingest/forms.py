"""Forms of lines: a bulk export says the same thing of many patients, so each thing is read once by the rules.

A line of NDJSON is cut at what varies from record to record (`layout`): its id, its patient, its dates, and texts that
no rule reads. What is left, byte for byte, is its *form*. The first line of a form goes the way of all resources, with
marks in the places of what was cut out (`probe`); where they come out again in the rows is the *template* (`fill`), by
which all other lines of the form are filled. A line whose form has no template, or that has something unusual in a
place that was cut, is read by itself: that way defines what is right, and this one is quicker.

Only texts are cut, and only texts of plain signs are put in their places; so what is valid JSON for one line of a
form is so for all. The rules look at full dates by their days and the order of these alone, so a template holds for one
order.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from sle_kg.ingest.blocks import columns_of, lines_of
from sle_kg.ingest.fill import Fill, Templates
from sle_kg.ingest.layout import (
    PLAIN_ID,
    PLAIN_TEXT,
    UNKNOWN,
    Layout,
    Left,
    Signature,
    is_full_date,
    is_text,
    layout_of,
)
from sle_kg.ingest.probe import MARK, YEAR, Probe
from sle_kg.patients.dates import interval

if TYPE_CHECKING:
    import pyarrow as pa

Line = tuple[str, int, bytes]
"""A line with its source and its number."""
Days = tuple[int, ...]

SHARED = frozenset(
    """AllergyIntolerance Condition Consent Immunization MedicationAdministration MedicationRequest MedicationStatement
    Observation Procedure""".split()  # noqa: SIM905 (a table of names reads better in lines)
)
"""Types of resources that are read without others; their lines have templates."""

_TYPE_NAME = b'"resourceType"'
_HEAD = 12
"""Bytes behind the name `resourceType` that tell types from each other, though not all of medicines."""
_MOST_LAYOUTS = 12
"""Layouts that are tried for a line."""
_ROOM = 64 << 20
"""Bytes of lines whose templates are remembered."""
_SHORTEST_BLOCK, _LONGEST_BLOCK = 1 << 8, 1 << 13
"""Lines that are filled in together: few as long as most are of new forms."""
_SAMPLE = 64
"""Of so many lines of a block one is looked at to know their layouts."""
_SEVERAL = 1 << 9
"""Lines of one layout that are worth to be filled in together, about; fewer are filled in one by one."""
_MOST_TEXTS = 200_000
"""Dates as recorded that are remembered."""

_TYPE = re.compile(rb'"resourceType"\s*:\s*"(\w+)"')
_PLAIN_REFERENCE = re.compile(rb"Patient/([A-Za-z0-9.-]+)")
"""A reference that names its end, as `patient` tells of every other."""
_EPOCH = date(1970, 1, 1).toordinal()


class Forms:
    """Remembers layouts and templates for all pieces that a process reads.

    `patient` gives the id that a reference to a patient names by itself, None where it names none. A full date is told
    as twice its days since 1970, plus one where it has a time of day.
    """

    def __init__(self, probe: Probe, patient: Callable[[str], str | None]) -> None:
        self._probe = probe
        self._templates = Templates()
        self._patient = patient
        self._layouts: dict[bytes, list[Layout]] = {}
        self._days: dict[bytes, int] = {}
        self._held = 0
        self._block = _SHORTEST_BLOCK

    def fill(self, texts: Iterable[Line], fill: Fill) -> Iterator[Line]:
        """Fill in the rows of lines by their templates; gives those lines that are to be read by themselves.

        Each text is some lines of a source, with the number of the first of them.
        """
        if self._held > _ROOM and not fill.any():
            self._forget()
        fill.begin(self._templates)
        for lines, places in self._blocks(texts, fill):
            for place, line in self._one_by_one(*self._by_columns(lines, places, fill), fill):
                yield *fill.found(place), line

    def _blocks(self, texts: Iterable[Line], fill: Fill) -> Iterator[tuple[pa.Array, pa.Array]]:
        """The lines of all texts with their places, many at a time."""
        import pyarrow as pa

        waiting: list[tuple[pa.Array, pa.Array]] = []
        missing = self._block
        for source, first, content in texts:
            lines, begin = lines_of(content), fill.begin_of(source) + first
            start = 0
            while start < len(lines):
                some = lines.slice(start, missing)
                waiting.append((some, pa.arange(begin + start, begin + start + len(some))))
                start += len(some)
                missing -= len(some)
                if not missing:
                    yield _together(waiting)
                    waiting, self._block = [], min(2 * self._block, _LONGEST_BLOCK)
                    missing = self._block
        if waiting:
            yield _together(waiting)

    def _by_columns(self, lines: pa.Array, places: pa.Array, fill: Fill) -> tuple[pa.Array, pa.Array]:
        """Fill in the lines of known forms; gives the others, with their places."""
        import pyarrow.compute as pc

        patient = fill.patients, partial(self._patient_of, fill)
        for layout in self._layouts_of(lines[::_SAMPLE].to_pylist()):
            template = partial(self._template, layout)
            columns = columns_of(layout, lines, places, (self._days, self._day), patient, template)
            if len(columns.places):
                fill.add(columns)
                others = pc.invert(pc.is_in(places, columns.places))
                lines, places = lines.filter(others), places.filter(others)
        return lines, places

    def _template(self, layout: Layout, left: Left, signature: Signature) -> int | None:
        """The number of the template of a new form, if the probe knows what it says; None where it has none."""
        kind = _kind(left)
        known = kind is not None and self._learn(layout, left, signature, kind, True)
        return layout.templates[left][signature] if known else None

    def _layouts_of(self, sample: Sequence[bytes]) -> list[Layout]:
        """The layouts by which the forms of several lines are known, those that cut most first; no escaped ones."""
        found: Counter[Layout] = Counter()
        for line in sample:
            known = (layout for layout in chain(found, self._layouts.get(_head(line), ())) if _knows(layout, line))
            found.update(islice(known, 1))
        often = (layout for layout, lines in found.items() if lines * _SAMPLE >= _SEVERAL and not layout.is_escaped)
        return sorted(often, key=lambda one: len(one.steps), reverse=True)

    def _one_by_one(self, lines: pa.Array, places: pa.Array, fill: Fill) -> Iterator[tuple[int, bytes]]:
        """Fill in the rows of lines; gives those that are to be read by themselves, with their places."""
        last: Layout | None = None
        for place, line in zip(places.to_pylist(), lines.to_pylist(), strict=True):
            cut = self._cut(last, line) if last is not None else None
            known = self._fill_by(cut, place, fill) if cut is not None else None
            if known is None:
                known, last = self._by_another(place, line, fill)
            if not known:
                yield place, line

    def _forget(self) -> None:
        """Start anew, when too much is remembered."""
        self._layouts.clear()
        self._probe.forget()
        self._templates.forget()
        self._held = 0

    def _by_another(self, place: int, line: bytes, fill: Fill) -> tuple[bool, Layout | None]:
        """Fill in a line by any layout of its type, which is given; False where it is to be read by itself."""
        head = _head(line)
        cuts = []
        for layout in self._layouts.get(head, ()):
            cut = self._cut(layout, line)
            if cut is not None:
                known = self._fill_by(cut, place, fill)
                if known is not None:
                    return known, layout
                cuts.append(cut)
        new = self._new(head, line, cuts)
        return (False, None) if new is None else (bool(self._fill_by(new, place, fill)), new.layout)

    def _cut(self, layout: Layout, line: bytes) -> _Cut | None:
        """A line as a layout cuts it; None where it does not, or where a date is none."""
        cut = layout.cut(line)
        if cut is None:
            return None
        left, texts = cut
        told = []
        for place in layout.days:
            day = self._days.get(texts[place])
            if day is None and (day := self._day(texts[place])) is None:
                return None
            told.append(day)
        days = tuple([day >> 1 for day in told])
        signature = [day & 1 for day in told]
        if len(days) > 1:
            order = sorted(days)
            signature += [order.index(day) for day in days]
        return _Cut(layout, left, texts, days, tuple(signature))

    def _fill_by(self, cut: _Cut, place: int, fill: Fill) -> bool | None:
        """Fill in a line of a known form; False where it is known to need reading by itself, None where unknown."""
        layout, left, texts, days, signature = cut
        template = layout.templates.get(left, _NONE).get(signature, UNKNOWN)
        if template == UNKNOWN:
            return None
        identifier = texts[layout.id]
        if template is None or not identifier or identifier.translate(None, PLAIN_ID):
            return False
        for unread in layout.unread:
            if texts[unread].translate(None, PLAIN_TEXT) and not layout.is_text(unread, texts[unread]):
                return False
        patient = self._patient_of(fill, texts[layout.patient])
        if patient is None:
            return False
        fill.lines.append((template, place, patient, identifier, days))
        return True

    def _patient_of(self, fill: Fill, reference: bytes) -> int | None:
        """The place of a patient whom a reference names; None where it names nobody by itself."""
        known = fill.patients.get(reference)
        if known is not None:
            return known
        plain = _PLAIN_REFERENCE.fullmatch(reference)
        if plain is not None:
            return fill.note_patient(reference, plain[1].decode())
        name = self._patient(reference.decode()) if is_text(reference) else None
        return None if name is None else fill.note_patient(reference, name)

    def _day(self, text: bytes) -> int | None:
        """A full date that was not met before; None for anything else."""
        if not is_full_date(text):
            return None
        try:
            day, _ = interval(text.decode("latin-1"))
        except ValueError:
            return None
        if len(self._days) >= _MOST_TEXTS:
            self._days.clear()
        self._days[text] = told = 2 * (day.toordinal() - _EPOCH) + (len(text) > 10)
        return told

    # ── New forms ────────────────────────────────────────────────────────────────────────────────────────

    def _new(self, head: bytes, line: bytes, cuts: list[_Cut]) -> _Cut | None:
        """Learn the form of a line, of which some known layouts make these cuts; None where it has no template."""
        kind = _kind(line)
        if kind is None:
            return None
        layouts = self._layouts.setdefault(head, [])
        for cut in cuts:
            if self._learn(cut.layout, cut.left, cut.signature, kind, True):
                layouts.remove(cut.layout)
                layouts.insert(0, cut.layout)
                return cut
        layout = layout_of(line)
        if layout is None:
            return None
        same = next((one for one in layouts if one.steps == layout.steps and one.days == layout.days), None)
        if same is None:
            layouts.insert(0, layout)
            del layouts[_MOST_LAYOUTS:]
        new = self._cut(same or layout, line)
        return new if new is not None and self._learn(new.layout, new.left, new.signature, kind, False) else None

    def _learn(self, layout: Layout, left: Left, signature: Signature, kind: str, known: bool) -> bool:
        """Note the template of a form, or that it has none; with `known`, only if the probe knows what it says."""
        template = self._probe.template(layout, left, signature, kind, known)
        if template is False:
            return False
        self._held += len(left)
        number = None if template is None else self._templates.add(template)
        layout.templates.setdefault(left, {})[signature] = number
        return True


class _Cut(NamedTuple):
    """A line as a layout cuts it: what is left, the texts cut out, its dates in days since 1970, their signature."""

    layout: Layout
    left: Left
    texts: list[bytes]
    days: Days
    signature: Signature


def _together(parts: Sequence[tuple[pa.Array, pa.Array]]) -> tuple[pa.Array, pa.Array]:
    """Lines and their places, of several texts or of one."""
    import pyarrow as pa

    if len(parts) == 1:
        return parts[0]
    lines, places = zip(*parts, strict=True)
    return pa.concat_arrays(list(lines)), pa.concat_arrays(list(places))


def _knows(layout: Layout, line: bytes) -> bool:
    """Whether the form of a line is known by a layout."""
    cut = layout.cut(line)
    return cut is not None and cut[0] in layout.templates


def _kind(line: bytes) -> str | None:
    """The type of the resource of a line, or of what is left of one; None where such a line has no template."""
    kind = _TYPE.search(line)
    if kind is None or (name := kind[1].decode()) not in SHARED or MARK in line or YEAR in line:
        return None
    return name


def _head(line: bytes) -> bytes:
    """What tells the type of the resource of a line."""
    place = line.find(_TYPE_NAME) + 14
    return line[place : place + _HEAD]


_NONE: dict[Signature, int | None] = {}
