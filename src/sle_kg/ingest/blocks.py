"""Blocks of lines by columns: what `forms` does with a line by itself, Arrow does with thousands at a time.

The lines of a block are cut by one layout, and looked up together: each different form, date and patient once. Lines
that the layout does not cut, and those with anything unusual in a place that was cut, are left to `forms`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sle_kg.ingest.fill import Columns
from sle_kg.ingest.layout import PLAIN_ID, PLAIN_TEXT, SEPARATOR, UNKNOWN, Layout, Left, Signature, is_text

if TYPE_CHECKING:
    import pyarrow as pa

Told = tuple[Mapping[bytes, int], Callable[[bytes], int | None]]
"""What is told of texts: what is known, and how to tell it of others; None of what is none."""
Tell = Callable[[Left, Signature], int | None]
"""Tells the number of the template of a form and a signature, which is learned at need; None where there is none."""
_RANKS = 4
"""A date has one of so many places in the order of the dates of a line."""
_SIGNATURES = 2**_RANKS * _RANKS**_RANKS
"""More than the number of a signature."""


def lines_of(content: bytes) -> pa.Array:
    """The lines of a text, without the signs that end them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = b"".join(end.to_bytes(8, "little") for end in (0, len(content)))
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, pa.py_buffer(ends), pa.py_buffer(content)])
    return pc.split_pattern(whole, SEPARATOR).flatten()


def columns_of(
    layout: Layout,
    lines: pa.Array,
    places: pa.Array,
    day: Told,
    patient: Told,
    template: Tell,
) -> Columns:
    """Those of the lines, with these places, that a layout cuts and that have a template, as columns.

    `day` tells a text that is a full date (see `Forms`), `patient` the place of the patient whom a reference names,
    `template` the number of the template of a form and a signature.
    """
    import pyarrow.compute as pc

    left, texts, places = _cut(layout, lines, places)
    days, timed = _days([texts[place] for place in layout.days], day)
    patients = _each(texts[layout.patient], patient)
    templates = _templates(layout, left, days, timed, template)
    identifiers = texts[layout.id]
    good = pc.and_(patients.is_valid(), templates.is_valid())
    good = pc.and_(good, pc.greater(pc.binary_length(identifiers), 0))
    good = _only(good, identifiers, PLAIN_ID, lambda text: False)
    for unread in layout.unread:
        good = _only(good, texts[unread], PLAIN_TEXT, is_text)
    return Columns(templates, places, patients, identifiers, days).filter(good)


def _cut(layout: Layout, lines: pa.Array, places: pa.Array) -> tuple[pa.Array, list[pa.Array], pa.Array]:
    """What is left of those lines that have all markers, the texts cut out, and the places of the lines.

    The last marker comes first, for what is before it is shorter. It is looked for in the whole line: where it stands
    before the place that the layout means, one of the others is missing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    cut: list[pa.Array] = [places]
    rest = lines
    for marker, _ in reversed(layout.steps):
        parts = pc.split_pattern(rest, marker, max_splits=1)
        rest, after = _halves(parts, cut)
        parts = pc.split_pattern(after, b'"', max_splits=1)
        cut.append(rest)
        text, left = _halves(parts, cut)
        rest = cut.pop()
        cut += [left, text]
    places, *cut = cut
    return pc.binary_join_element_wise(rest, *cut[-2::-2], pa.scalar(SEPARATOR, rest.type)), cut[::-2], places


def _halves(parts: pa.Array, others: list[pa.Array]) -> tuple[pa.Array, pa.Array]:
    """Both parts of each line; lines that have one alone are dropped, of the others too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = parts.flatten()
    if len(values) != 2 * len(parts):
        whole = pc.equal(pc.list_value_length(parts), 2)
        values = parts.filter(whole).flatten()
        others[:] = (one.filter(whole) for one in others)
    evens = pa.arange(0, len(values), 2)
    return values.take(evens), values.take(pc.add(evens, 1))


def _each(texts: pa.Array, told: Told) -> pa.Array:
    """What is told of every text; each different text is looked up once."""
    import pyarrow as pa

    known, tell = told
    encoded = texts.dictionary_encode()
    different = encoded.dictionary.to_pylist()
    found: list[int | None] = list(map(known.get, different))
    if None in found:
        found = [tell(text) if one is None else one for text, one in zip(different, found, strict=True)]
    return pa.array(found, pa.int32()).take(encoded.indices)


def _days(texts: Sequence[pa.Array], day: Told) -> tuple[list[pa.Array], list[pa.Array]]:
    """Every date in days since 1970, and whether it has a time of day; null where it is no full date."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = [_each(column, day) for column in texts]
    bit = pa.scalar(1, pa.int32())
    return [pc.shift_right(one, bit) for one in found], [pc.bit_wise_and(one, bit) for one in found]


def _templates(
    layout: Layout, left: pa.Array, days: Sequence[pa.Array], timed: Sequence[pa.Array], template: Tell
) -> pa.Array:
    """The number of the template of each line; null where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    forms = left.dictionary_encode()
    key = pc.multiply(forms.indices.cast(pa.int64()), _SIGNATURES)
    for place, one in enumerate(timed):
        key = pc.add(key, pc.multiply(one.cast(pa.int64()), 2**place))
    for place, one in enumerate(days if len(days) > 1 else ()):
        for other in days:
            earlier = pc.less(other, one).cast(pa.int64())
            key = pc.add(key, pc.multiply(earlier, 2**_RANKS * _RANKS**place))
    different = forms.dictionary.to_pylist()
    known = [layout.templates.get(form, {}) for form in different]
    keys = key.dictionary_encode()
    said = [divmod(one, _SIGNATURES) for one in keys.dictionary.to_pylist()]
    signatures = {number: _signature(number, len(days)) for number in {number for _, number in said}}
    told = [known[form].get(signatures[number], UNKNOWN) for form, number in said]
    if UNKNOWN in told:
        told = [
            template(different[form], signatures[number]) if one == UNKNOWN else one
            for (form, number), one in zip(said, told, strict=True)
        ]
    return pa.array(told, pa.int32()).take(keys.indices)


def _signature(number: int, days: int) -> Signature:
    """The signature that has this number, of so many dates."""
    timed, ranks = number % 2**_RANKS, number >> _RANKS
    order = [ranks // _RANKS**place % _RANKS for place in range(days)] if days > 1 else []
    return (*(bool(timed >> place & 1) for place in range(days)), *order)


def _only(good: pa.Array, texts: pa.Array, signs: bytes, otherwise: Callable[[bytes], bool]) -> pa.Array:
    """Of the lines that are good, those whose text has these signs alone, or is good in another way."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not texts.buffers()[2].to_pybytes().translate(None, signs):
        return good
    told = [not text.translate(None, signs) or otherwise(text) for text in texts.to_pylist()]
    return pc.and_(good, pa.array(told, pa.bool_()))
