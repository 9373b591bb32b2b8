"""Runs the documents: a Markdown file is a script, and the outputs that it prints are those of the program.

- A fence `console` holds commands (`$ …`, continued by lines `> …`), each followed by its output.
- A fence with `file=NAME` in its info line is written to that file before the commands that follow.
- A fence `sparql` without a file is run as a query.

`python tests/documents.py` writes the real outputs into the documents; tests/test_docs.py compares them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
READ_BY_COMMANDS = (
    "src",
    "ontology",
    "shapes",
    "trials",
    "registry",
    "examples",
    "Makefile",
    "pyproject.toml",
    "setup.py",
)


def copy_checkout(target: Path) -> Path:
    """A copy of what commands read, in which a document may add and change files."""
    for name in READ_BY_COMMANDS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("*.egg-info"))
        else:
            shutil.copy(ROOT / name, target / name)
    return target


def fences(text: str) -> list[Token]:
    """The fenced blocks of a document, in order."""
    return [token for token in MarkdownIt().parse(text) if token.type == "fence"]


def run(command: str, folder: Path) -> str:
    """What a command prints in the copy of the checkout; AssertionError where it fails. `make` is only planned."""
    if command.startswith("make "):
        command = f"make --dry-run {command.removeprefix('make ')} >/dev/null"
    search_path = os.pathsep.join(filter(None, [str(folder / "src"), os.environ.get("PYTHONPATH")]))
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": search_path,
        "COLUMNS": "100",
    }
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command!r} ended with {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


def commands(block: str) -> Iterator[str]:
    """The commands of a console block as they stand in it, with prompts."""
    lines = block.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("$ "):
            yield "\n".join([line, *takewhile(lambda following: following.startswith("> "), lines[number + 1 :])])


def console(block: str, folder: Path) -> str:
    """The console block as the commands print it today."""
    parts = []
    for command in commands(block):
        printed = run("\n".join(line[2:] for line in command.splitlines()), folder)
        parts.append("\n".join([command, *map(str.rstrip, printed.splitlines())]).rstrip() + "\n")
    return "".join(parts)


def refreshed(document: Path, folder: Path) -> str:
    """The text of a document after its blocks were run in order in `folder`: outputs are the real ones."""
    text = document.read_text()
    lines = text.splitlines(keepends=True)
    replacements: list[tuple[int, int, str]] = []
    for number, token in enumerate(fences(text)):
        language, *options = token.info.split() or [""]
        names = [option.removeprefix("file=") for option in options if option.startswith("file=")]
        if names:
            (folder / names[0]).parent.mkdir(parents=True, exist_ok=True)
            (folder / names[0]).write_text(token.content)
        elif language == "sparql":
            query = folder / f"block-{number}.rq"
            query.write_text(token.content)
            run(f"sle-kg query {query}", folder)
        elif language == "console":
            assert token.map is not None
            replacements.append((token.map[0] + 1, token.map[1] - 1, console(token.content, folder)))
    for first, last, output in reversed(replacements):
        lines[first:last] = [output]
    return "".join(lines)


def main() -> None:
    """Write the real outputs into the documents named, or into all."""
    for document in [Path(name) for name in sys.argv[1:]] or DOCUMENTS:
        with tempfile.TemporaryDirectory() as folder:
            document.write_text(refreshed(document, copy_checkout(Path(folder))))


if __name__ == "__main__":
    main()
