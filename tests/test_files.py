"""Results are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from sle_kg.errors import InputError
from sle_kg.files import write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "out.ttl"
    target.write_bytes(b"old")
    target.chmod(0o640)
    write_whole(target, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("out.ttl", b"new")]
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_failed_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InputError, match="No space left on device"):
        write_whole(tmp_path / "out.ttl", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["", "missing/out.ttl"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(tmp_path / place, b"new")
