"""JSON texts as values: exact decimals, no number that JSON does not know, no name that says two things at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NoReturn

from sle_kg.errors import InputError
from sle_kg.patients.elements import exact_number

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that may be half of a surrogate pair."""
_BEGUN = re.compile(r"[\w.+\\-]*,?\s*")
"""What stands at the end of a JSON text that was cut off: part of a word, a number or an escape, or a comma."""


def parse_json(text: str, file: str) -> Iterator[Any]:
    """The JSON value of a text, or the values of its lines (NDJSON) one by one; numbers as exact decimals.

    Raises InputError for what is no JSON, numbers that JSON does not know (NaN, Infinity), a name that stands twice
    in one object with different values (which of them counts is not said), and nesting too deep.
    """
    decoder = _decoder(file)

    def loads(part: str) -> Any:
        value = decoder.decode(part)
        return _without_surrogates(value) if "\\u" in part and _SURROGATE.search(part) else value

    try:
        yield loads(text)
        return
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data") or "\n" not in text.strip():
            raise _unreadable(file, 1, text, error) from error
    except RecursionError as error:
        raise InputError(f"{file}: the JSON is nested too deeply to be a patient record") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield loads(line)
        except json.JSONDecodeError as error:
            raise _unreadable(file, number, line, error) from error
        except RecursionError as error:
            raise InputError(f"{file}, line {number}: the JSON is nested too deeply to be a patient record") from error


def _unreadable(file: str, first: int, text: str, error: json.JSONDecodeError) -> InputError:
    """What is said of a text, whose first line has the number `first`, that is no JSON, or not all of it."""
    is_cut = error.msg.startswith("Unterminated string") or _BEGUN.fullmatch(text, error.pos) is not None
    if is_cut and text.lstrip().startswith(("{", "[")):
        line = first + text.rstrip().count("\n")
        why = "it ends too early, as if cut off): export or fetch the file again"
    else:
        line = first + error.lineno - 1
        why = f"{error.msg}): mend the line"
    return InputError(f"{file}, line {line}: not readable as JSON ({why}")


@lru_cache(1)
def _decoder(file: str) -> json.JSONDecoder:
    """What decodes JSON, naming the file in errors."""

    def refuse(constant: str) -> NoReturn:
        raise InputError(f"{file}: {constant} is no number of JSON: mend the value")

    def one_value_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            for name, value in pairs:
                if found[name] != value:
                    raise InputError(
                        f"{file}: {name!r} stands twice in one JSON object, with different values: keep one"
                    )
        return found

    return json.JSONDecoder(
        object_pairs_hook=one_value_each, parse_float=exact_number, parse_int=exact_number, parse_constant=refuse
    )


def _without_surrogates(value: Any) -> Any:
    """The same JSON value with half surrogates, which no Unicode text may hold, replaced by U+FFFD."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
