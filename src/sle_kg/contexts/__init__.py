"""The project's JSON-LD context, versioned by file name, and a loader that fetches nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from sle_kg.errors import InputError

CONTEXT_FILE = Path(__file__).parent / "sle-kg-0.1.0.jsonld"


def context() -> dict[str, Any]:
    """The current context, as it stands under `@context` in every JSON-LD document of ours."""
    document: dict[str, Any] = json.loads(CONTEXT_FILE.read_text(encoding="utf-8"))
    found: dict[str, Any] = document["@context"]
    return found


def refuse_remote(url: str, options: dict[str, Any]) -> NoReturn:
    """A document loader for pyld: sle-kg stays offline. Raises InputError."""
    raise InputError(f"the JSON-LD names the remote document {url}, which is not fetched; put its content in its place")
