"""Where a line of NDJSON is cut: at what varies from record to record, found by markers and not by parsing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from sle_kg.ingest.fill import DAYS

Kind = Literal["id", "patient", "day", "unread"]
"""What is cut out: the id of the resource, the reference to its patient, a full date, a text that no rule reads."""
Path = tuple[str | int, ...]
Signature = tuple[Any, ...]
"""Of the dates of a line: which of them have a time of day, and the order of all."""
Left = bytes
"""What is left of a line between the texts that were cut out, without the markers; a SEPARATOR for each cut."""
SEPARATOR = b"\n"
"""Stands where a text was cut out: no line has it."""
UNKNOWN = -1
"""Stands for the number of a template that is not known yet."""
PLAIN_ID = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"
"""Signs of an id that stand for themselves everywhere."""
PLAIN_TEXT = bytes(sign for sign in range(0x20, 0x7F) if sign not in b'"\\')
"""Signs of a text that stand for themselves in JSON."""

UNREAD = frozenset(
    """asserter basedOn context device encounter informationSource issued language location meta note performer
    reasonReference recorder requester specimen text""".split()  # noqa: SIM905 (a table of names reads better in lines)
)
"""Elements that no rule of reading looks at, whatever the type of the resource."""
_ABOUT = frozenset({"derivedFrom", "focus", "hasMember", "partOf"})
"""Elements by which records refer to others: that they do may matter, but not to which, for one read by itself."""
_DATES = frozenset({"authoredOn", "date", "dateAsserted", "dateTime", "detected", "end", "recordedDate", "start"})
"""Names of elements that the reader takes for dates, beside those that end in `DateTime` or `Instant`."""
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|[{}\[\],:]|[^\s"{}\[\],:]+')
_FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:T[^\"\\]*)?")
_NO_TEXT = re.compile(rb'["\\\x00-\x1f]')
_ESCAPED = re.compile(rb'([^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*)"')


@dataclass(slots=True, eq=False)
class Layout:
    """A text begins after the next occurrence of its marker and ends at the next quote.

    `steps` are the markers, and whether the text may have escapes; the others say which text is what; `templates` are
    the numbers of templates by forms cut in this way, and by signatures; None where such lines are read by themselves;
    `marks` are those of the probe, by signatures.
    """

    steps: tuple[tuple[bytes, bool], ...]
    id: int
    patient: int
    days: tuple[int, ...]
    unread: tuple[int, ...]
    templates: dict[Left, dict[Signature, int | None]] = field(default_factory=dict)
    marks: dict[Signature, Any] = field(default_factory=dict)

    def cut(self, line: bytes) -> tuple[Left, list[bytes]] | None:
        """What is left of a line, and the texts cut out; None for a line that lacks a marker."""
        left: list[bytes] = []
        texts: list[bytes] = []
        for marker, escaped in self.steps:
            before, found, line = line.partition(marker)
            if not found:
                return None
            if escaped:
                match = _ESCAPED.match(line)
                if match is None:
                    return None
                text, line = match[1], line[match.end() :]
            else:
                text, _, line = line.partition(b'"')
            left.append(before)
            texts.append(text)
        left.append(line)
        return SEPARATOR.join(left), texts

    def is_text(self, place: int, text: bytes) -> bool:
        """Whether bytes that were cut out are a text in JSON; escapes in it were looked at when it was cut."""
        return is_utf8(text) if self.steps[place][1] else is_text(text)

    def join(self, left: Left, texts: list[bytes]) -> bytes:
        """The line that has these texts in the places of those cut out."""
        *parts, last = left.split(SEPARATOR)
        pieces = []
        for before, (marker, _), text in zip(parts, self.steps, texts, strict=True):
            pieces += [before, marker, text, b'"']
        return b"".join([*pieces, last])

    @property
    def is_escaped(self) -> bool:
        """Whether a text may have escapes."""
        return any(escaped for _, escaped in self.steps)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text of a line that is to be cut: its place, without the quotes, and where the name before it begins."""

    kind: Kind
    start: int
    end: int
    named: int
    escaped: bool


def layout_of(line: bytes) -> Layout | None:
    """Where a line of JSON is cut; None where it has no id or patient, or its texts cannot be found by markers."""
    texts = _texts(line.decode("latin-1"))
    kinds = [text.kind for text in texts]
    if kinds.count("id") != 1 or kinds.count("patient") != 1 or kinds.count("day") > len(DAYS):
        return None
    steps = []
    after = 0
    for text in texts:
        markers = [line[place : text.start] for place in (text.named, after) if place >= after]
        marker = next((one for one in markers if line.find(one, after) + len(one) == text.start), None)
        if marker is None:
            return None
        steps.append((marker, text.escaped))
        after = text.end + 1

    def places(kind: Kind) -> tuple[int, ...]:
        return tuple(place for place, found in enumerate(kinds) if found == kind)

    return Layout(tuple(steps), places("id")[0], places("patient")[0], places("day"), places("unread"))


def is_utf8(text: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_text(text: bytes) -> bool:
    """Whether bytes between quotes are a text in JSON as it stands."""
    return is_utf8(text) and _NO_TEXT.search(text) is None


def is_full_date(text: bytes) -> bool:
    """Whether a text looks like a date with its day, with or without a time of day."""
    return _FULL_DATE.fullmatch(text.decode("latin-1")) is not None


def _texts(line: str) -> list[_Text]:
    """The texts of a line that are to be cut, in order; none where a name stands twice on the way to one of them.

    Dates are compared with each other, so they are cut all or, where one is not full, not at all.
    """
    found: list[_Text] = []
    seen: set[Path] = set()
    dates_are_full = True
    for path, start, end, named in _values(line):
        is_text = line[start - 1] == '"'
        kind = _kind(path, line[start:end]) if is_text else None
        if kind is None:
            is_date = _is_read(path) and _is_date(path[-1]) and (is_text or line[start:end] != "null")
            dates_are_full = dates_are_full and not is_date
            continue
        if path in seen:
            return []
        seen.add(path)
        found.append(_Text(kind, start, end, named, line.find("\\", start, end) >= 0))
    return [text for text in found if text.kind != "day" or dates_are_full]


def _kind(path: Path, text: str) -> Kind | None:
    """What a text at a place of a resource is; None where it is part of the form."""
    if path == ("id",):
        return None if "\\" in text else "id"
    if path in (("subject", "reference"), ("patient", "reference")):
        return None if "\\" in text else "patient"
    if not _is_read(path):
        return "unread"
    return "day" if _is_date(path[-1]) and _FULL_DATE.fullmatch(text) else None


def _is_read(path: Path) -> bool:
    """Whether rules may look at what stands at a place, beside the reference to the patient."""
    return path[0] not in UNREAD and path[0] not in _ABOUT and path[0] not in ("subject", "patient")


def _is_date(name: str | int) -> bool:
    """Whether the reader takes what has this name for a date."""
    return isinstance(name, str) and (name in _DATES or name.endswith(("DateTime", "Instant")))


def _values(line: str) -> Iterator[tuple[Path, int, int, int]]:
    """Every plain value: the names and places that lead to it, its begin and end, and where its name begins.

    A text begins and ends within its quotes. What this makes of a line that is no JSON does not matter, since such a
    line has no template.
    """
    path: list[str | int] = []
    objects: list[bool] = []
    naming, named = False, 0
    for token in _TOKEN.finditer(line):
        sign = token[0][0]
        if sign == '"' and naming:
            path[-1], named, naming = token[1], token.start(), False
        elif sign in "{[":
            naming = sign == "{"
            objects.append(naming)
            path.append("" if naming else 0)
        elif not objects:
            return
        elif sign in "]}":
            objects.pop()
            path.pop()
            naming = False
        elif sign == ",":
            naming = objects[-1]
            path[-1] = path[-1] if isinstance(path[-1], str) else path[-1] + 1
        elif sign != ":":
            group = 1 if sign == '"' else 0
            yield tuple(path), token.start(group), token.end(group), named
