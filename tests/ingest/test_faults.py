"""What goes wrong with exports of hospitals: damaged files, contradictions, sudden ends. One sentence, and a list."""

import csv
import errno
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from unittest.mock import Mock

import duckdb
import pyarrow.parquet as pq
import pytest

from sle_kg import cli_ingest
from sle_kg.errors import InputError
from sle_kg.ingest import Options, ingest_cohort, merge, pieces, work
from sle_kg.patients.facts import COLUMNS
from sle_kg.synthetic import write_cohort


def read(folder, *files, workers=1):
    return ingest_cohort([str(file) for file in files], folder, Options(workers=workers))


def rejects(folder):
    """Line, record and reason of each reject."""
    with (folder / "rejects.csv").open(newline="") as file:
        return [tuple(row[1:]) for row in list(csv.reader(file))[1:]]


def bytes_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "ingest.json"}


def patient(name, **elements):
    return {"resourceType": "Patient", "id": name, "birthDate": "1990-01-01", "gender": "female"} | elements


def condition(name, of, code="M32.9", **elements):
    coding = [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]
    found = {"resourceType": "Condition", "id": name, "code": {"coding": coding}, "recordedDate": "2020-01-01"}
    return found | {"subject": {"reference": f"Patient/{of}"}} | elements


def ndjson(file, *lines):
    """A file with resources and raw lines."""
    parts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    file.write_bytes(b"\n".join(parts) + b"\n")
    return file


def packed(file, content):
    file.write_bytes(gzip.compress(content))
    return file


def conditions(folder):
    return [row["record"] for row in pq.read_table(folder / "condition.parquet").to_pylist()]


def test_corrupt_lines_are_rejected_one_by_one(tmp_path):
    source = ndjson(
        tmp_path / "a.ndjson",
        patient("a"),
        b'{"resourceType": "Condition", "id": "half',
        b'{"resourceType": "Condition", "id": "\xff"}',
        b'{"resourceType": "Encounter", "id": broken}',
        b"[1, 2]",
        b'{"id": "none"}',
        b'{"resourceType": "Condition", "id": "nan", "x": NaN}',
        b"[" * 100_000,
        b'{"resourceType": "Condition", "id": "c1", "id": "c2"}',
        b"",
        condition("c", "a"),
        {"resourceType": "Encounter", "id": "e"},
    )
    summary = read(tmp_path / "out", source)
    found = rejects(tmp_path / "out")
    assert [int(line) for line, _, _ in found] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert conditions(tmp_path / "out") == ["Condition/c"]
    assert summary.skipped == {"Encounter": 1}
    assert "not UTF-8" in found[1][2] and "NaN" in found[5][2] and "stands twice" in found[7][2]


def test_a_truncated_and_a_damaged_gzip_file_keep_what_comes_before(tmp_path):
    dice = random.Random(5)
    records = [condition(f"c{n}", "a", text=f"{dice.getrandbits(400):x}") for n in range(3000)]
    whole = gzip.compress(b"\n".join(json.dumps(one).encode() for one in [patient("a"), *records]) + b"\n")
    middle = len(whole) // 2
    for name, content, reason in [
        ("half", whole[:middle], "ends too early"),
        ("hurt", whole[:middle] + b"\xff" * 50 + whole[middle + 50 :], "is damaged"),
    ]:
        (tmp_path / f"{name}.ndjson.gz").write_bytes(content)
        read(tmp_path / name, tmp_path / f"{name}.ndjson.gz")
        *garbled, (line, _, why) = rejects(tmp_path / name)
        kept = conditions(tmp_path / name)
        assert reason in why and int(line) == len(kept) + len(garbled) + 2 > 100
        assert set(kept) == {f"Condition/c{n}" for n in range(len(kept))}


def test_a_line_over_the_limit_is_passed_over_and_counted_as_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "LIMIT", 5000)
    long = b'{"resourceType": "Condition", "id": "' + b"x" * 6000 + b'"}'
    source = ndjson(tmp_path / "a.ndjson", patient("a"), long, condition("c", "a"), b"broken", long)
    read(tmp_path / "out", source)
    assert [int(line) for line, _, _ in rejects(tmp_path / "out")] == [2, 4, 5]
    assert conditions(tmp_path / "out") == ["Condition/c"]


def test_a_document_over_the_limit_is_one_reject(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "LIMIT", 5000)
    entries = [{"resource": condition(f"c{n}", "a")} for n in range(100)]
    (tmp_path / "big.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entries}, indent=1))
    read(tmp_path / "out", ndjson(tmp_path / "a.ndjson", patient("a")), tmp_path / "big.json")
    ((line, _, reason),) = rejects(tmp_path / "out")
    assert line == "1" and "export it as NDJSON" in reason


def test_records_of_nobody_are_listed(tmp_path):
    lost = condition("lost", "b")
    nothing = condition("nothing", "a")
    del nothing["subject"]
    read(tmp_path / "out", ndjson(tmp_path / "a.ndjson", lost, nothing, patient("a"), condition("c", "a")))
    assert rejects(tmp_path / "out") == [
        ("1", "Condition/lost", merge.NOBODY),
        ("2", "Condition/nothing", "refers to no patient"),
    ]
    assert conditions(tmp_path / "out") == ["Condition/c"]


def test_patients_who_contradict_themselves_are_left_out_and_others_completed(tmp_path):
    one = ndjson(tmp_path / "1.ndjson", patient("a"), condition("c", "a"), patient("b", gender=None))
    two = ndjson(tmp_path / "2.ndjson", patient("a", gender="male"), patient("b", birthDate=None), patient("b"))
    summary = read(tmp_path / "out", one, two)
    assert summary.rejects == {merge.CONTRADICTORY: 2, merge.OF_CONTRADICTORY: 1}
    (found,) = pq.read_table(tmp_path / "out" / "patient.parquet").to_pylist()
    assert (found["patient"], found["birth_from"].year, found["sex"]) == ("b", 1990, "female")


def test_two_records_of_one_id_both_count_and_are_listed(tmp_path):
    one = ndjson(tmp_path / "1.ndjson", patient("a"), condition("c", "a"), condition("d", "a"))
    two = ndjson(tmp_path / "2.ndjson", condition("c", "a", code="M32.14"), condition("d", "a"))
    summary = read(tmp_path / "out", two, one)
    assert summary.rejects == {merge.TWO_VERSIONS: 2}
    assert conditions(tmp_path / "out") == ["Condition/c", "Condition/c", "Condition/d"]


def test_ids_and_names_that_look_like_sql_stay_text(tmp_path):
    evil = "x'; DROP TABLE known; --\"\\"
    folder = tmp_path / 'it\'s [a] "folder" *?'
    folder.mkdir()
    source = ndjson(folder / "a';--.ndjson", patient(evil), condition(evil, evil, code=evil), condition("c", "'"))
    read(folder / "out", source)
    (found,) = pq.read_table(folder / "out" / "condition.parquet").to_pylist()
    assert (found["patient"], found["record"]) == (evil, f"Condition/{evil}")
    assert rejects(folder / "out") == [("3", "Condition/c", merge.NOBODY)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "missing.ndjson", "there is no such file"),
        (lambda folder: folder, "no patient data in this folder"),
        (lambda folder: ndjson(folder / "a.ndjson", b"{"), "no patient found; 1 records rejected"),
        (
            lambda folder: ndjson(folder / "a.ndjson", condition("c", "a")),
            "no patient found; 1 records rejected: refers",
        ),
        (lambda folder: ndjson(folder / "a.ndjson"), "no patient found"),
        (lambda folder: ndjson(folder / "a.ndjson", b'{"id":'), r"rejected: not readable as JSON \(it ends too early"),
        (lambda folder: ndjson(folder / "a.csv", b"id,pga"), r"this is a table: say with --map .*docs/ingest\.md"),
        (lambda folder: packed(folder / "a.csv.gz", b"id,pga"), "this is a table: say with --map"),
        (lambda folder: ndjson(folder / "a.csv", b"id,pga").parent, r"or CSV files by name and with --map"),
    ],
)
def test_sources_of_no_use_are_refused(make, message, tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match=message):
        read(tmp_path / "out", make(tmp_path / "in"))
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_fhir_under_the_name_of_a_table_is_read(tmp_path):
    assert read(tmp_path / "out", ndjson(tmp_path / "a.csv", patient("a"))).patients == 1


def test_a_folder_that_cannot_be_made_is_told_with_another_cure_than_a_full_disk(tmp_path):
    source = ndjson(tmp_path / "a.ndjson", patient("a"))
    with pytest.raises(InputError, match=r"a\.ndjson/out: the folder cannot be written \(Not a directory\); name with"):
        read(source / "out", source)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_folder_that_may_not_be_written_is_told_with_its_cure(number, tmp_path, monkeypatch):
    source = ndjson(tmp_path / "a.ndjson", patient("a"))
    error = OSError(number, os.strerror(number))
    monkeypatch.setattr(type(tmp_path), "mkdir", Mock(side_effect=error))
    with pytest.raises(
        InputError, match=rf"out: the folder cannot be written \({error.strerror}\); name with --output"
    ):
        read(tmp_path / "out", source)


def test_a_full_disk_at_the_end_leaves_no_half_table(tmp_path, monkeypatch):
    source = ndjson(tmp_path / "a.ndjson", patient("a"), condition("c", "a"))

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(merge, "_write", full)
        with pytest.raises(InputError, match=r"No space left on device.*make room"):
            read(tmp_path / "out", source)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["parts"]
    read(tmp_path / "out", source)
    assert conditions(tmp_path / "out") == ["Condition/c"] and not (tmp_path / "out" / "parts").exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (duckdb.OutOfMemoryException("Out of Memory Error: failed\n\nTry"), r"memory .*failed\).* fewer --workers"),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to offload data block"), r"block\); make room"),
        (duckdb.IOException("IO Error: No space left on device"), r"device\); make room"),
    ],
)
def test_too_little_memory_is_not_told_as_a_full_disk(error, message, tmp_path, monkeypatch):
    source = ndjson(tmp_path / "a.ndjson", patient("a"), condition("c", "a"))
    with monkeypatch.context() as patched:
        patched.setattr(merge.Merge, "write", Mock(side_effect=error))
        with pytest.raises(InputError, match=message) as refused:
            read(tmp_path / "out", source)
    assert "\n" not in str(refused.value)
    read(tmp_path / "out", source)
    assert conditions(tmp_path / "out") == ["Condition/c"]


def test_what_is_compared_in_shares_is_as_what_is_compared_at_once(tmp_path, monkeypatch):
    names = ["a", "b", "c", "d", "e"]
    lines = [
        *(patient(name) for name in names),
        *(condition(f"{name}{n}", name) for name in names for n in range(3)),
        *(condition("nobody", "x") for _ in range(2)),
    ]
    others = [patient("b", birthDate="1991-01-01"), condition("a0", "a", code="M32.14"), *lines[2:-1]]
    files = [ndjson(tmp_path / "a.ndjson", *lines), ndjson(tmp_path / "b.ndjson", *others)]
    read(tmp_path / "at once", *files)
    for most in ("PERSONS", "RECORDS", "ROWS", "FEW"):
        monkeypatch.setattr(merge, most, 1)
    read(tmp_path / "in shares", *files)
    assert bytes_of(tmp_path / "in shares") == bytes_of(tmp_path / "at once")
    reasons = [reason for *_, reason in rejects(tmp_path / "at once")]
    assert (reasons.count(merge.TWO_VERSIONS), reasons.count(merge.CONTRADICTORY)) == (3, 2)
    assert (reasons.count(merge.NOBODY), reasons.count(merge.OF_CONTRADICTORY)) == (3, 6)
    assert len(conditions(tmp_path / "at once")) == 13


@pytest.mark.slow
def test_very_many_records_that_the_sources_hold_twice_fit(tmp_path):
    coding = [{"system": "http://loinc.org", "code": "1742-6"}]
    shared = {"resourceType": "Observation", "status": "final", "code": {"coding": coding}}
    unit = {"unit": "U/L", "system": "http://unitsofmeasure.org", "code": "U/L"}
    found = (
        {
            "id": f"alt-{n}",
            "subject": {"reference": f"Patient/{n % 300}"},
            "effectiveDateTime": f"20{n % 20:02}-01-{1 + n % 28:02}",
            "valueQuantity": {"value": 10 + n % 97} | unit,
        }
        for n in range(300_000)
    )
    first = ndjson(tmp_path / "a.ndjson", *(patient(str(n)) for n in range(300)), *(shared | one for one in found))
    second = tmp_path / "b.ndjson"
    second.write_bytes(first.read_bytes())
    assert read(tmp_path / "out", first, second, workers=2).rows["measurement"] == 300_000


def test_tables_are_on_the_disk_before_they_have_their_names(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append(os.fstat(number).st_ino), sync(number)))
    monkeypatch.setattr(
        os, "replace", lambda file, target: (done.append((file.stat().st_ino, target)), replace(file, target))
    )
    read(tmp_path / "out", ndjson(tmp_path / "a.ndjson", patient("a")))
    named = {place: one for place, one in enumerate(done) if isinstance(one, tuple)}
    assert {target.name for _, target in named.values()} == {file.name for file in (tmp_path / "out").iterdir()}
    folder = (tmp_path / "out").stat().st_ino
    assert all((done[place - 1], done[place + 1]) == (file, folder) for place, (file, _) in named.items())


def test_two_ingests_of_one_folder_are_kept_apart(tmp_path):
    from sle_kg.ingest.run import _in_hand

    with _in_hand(tmp_path / "out"), pytest.raises(InputError, match="another ingest is at work"):
        read(tmp_path / "out", ndjson(tmp_path / "a.ndjson", patient("a")))


def test_patients_whose_ids_lost_signs_are_not_taken_for_each_other(tmp_path):
    lost = [json.dumps(patient(name)).encode() for name in ("b\ud800", "b\udc00")]
    summary = read(tmp_path / "out", ndjson(tmp_path / "a.ndjson", patient("a"), *lost, condition("c", "b\ud800")))
    assert summary.patients == 1 and [int(line) for line, _, _ in rejects(tmp_path / "out")] == [2, 3, 4]


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz"])
def test_short_lines_are_cut_into_pieces_by_their_number(name, tmp_path):
    content = json.dumps(patient("a")).encode() + b"\nx" * 1_000_000
    (tmp_path / name).write_bytes(gzip.compress(content, 1) if name.endswith("gz") else content)
    found = [piece.loaded() for piece in pieces.pieces(pieces.segments_of(tmp_path / name, "a"))]
    segments = [segment for piece in found for segment in piece.segments]
    lines = [sum(segment.content.count(b"\n") for segment in piece.segments) for piece in found]
    assert b"".join(segment.content for segment in segments) == content
    assert max(lines) < 200_000 and len(found) < 12
    assert [segment.first for segment in segments] == [1 + sum(lines[:place]) for place in range(len(lines))]


def test_lines_of_values_that_are_no_resources_are_no_document(tmp_path):
    (tmp_path / "numbers.json").write_bytes(b"1\n" * 30)
    read(tmp_path / "out", ndjson(tmp_path / "a.ndjson", patient("a")), tmp_path / "numbers.json")
    assert [int(line) for line, _, _ in rejects(tmp_path / "out")] == list(range(1, 31))


def test_types_of_no_known_resource_cannot_steer_the_terminal(tmp_path, capsys):
    kinds = ["\x1b[2JPatient", "x" * 5000, "Encounter", "Bösartig"]
    source = ndjson(tmp_path / "a.ndjson", patient("a"), *({"resourceType": kind, "id": "e"} for kind in kinds))
    cli_ingest.ingest_cohort([str(source)], tmp_path / "out", workers=1)
    told = capsys.readouterr().out
    assert "  3 resource of no type of FHIR\n  1 Encounter\n" in told
    assert "\x1b" not in told and "xxx" not in told


def test_reasons_are_printed_without_control_characters_and_short(capsys):
    cli_ingest._most({"\x1b]0;name\x07 " + "x" * 5000: 2})
    told = capsys.readouterr().out
    assert told.startswith("  2 �]0;name� xxx") and len(told) < 300


MEASURED = """
import sys
from pathlib import Path
import peak_memory
from sle_kg.ingest import Options, ingest_cohort
ingest_cohort([sys.argv[1]], Path(sys.argv[2]), Options(workers=1))
print(peak_memory.megabytes())
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_rejected_lines(tmp_path):
    source = tmp_path / "a.ndjson"
    source.write_bytes(json.dumps(patient("a")).encode() + b"\n" + b"x\n" * 3_000_000)
    command = [sys.executable, "-c", MEASURED, str(source), str(tmp_path / "out")]
    megabytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(megabytes) < 850


PROGRAM = """
import sys
from pathlib import Path
from sle_kg.ingest import Options, ingest_cohort, pieces
pieces.PIECE = 150_000
if __name__ == "__main__":
    ingest_cohort([sys.argv[1]], Path(sys.argv[2]), Options(workers=int(sys.argv[3])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_point_and_run_again_gives_the_same_tables(workers, tmp_path):
    write_cohort(tmp_path / "export", 6, 9)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def start(out):
        arguments = [sys.executable, str(program), str(tmp_path / "export"), str(tmp_path / out), str(workers)]
        return subprocess.Popen(arguments, stderr=subprocess.PIPE)

    begin = time.monotonic()
    assert start("whole").wait() == 0
    duration = time.monotonic() - begin
    dice = random.Random(workers)
    for _ in range(3):
        process = start("killed")
        try:
            process.wait(dice.uniform(0.3, 0.95) * duration)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        process.stderr.close()
        assert not list((tmp_path / "killed").glob("*.parquet")) or (tmp_path / "killed" / "ingest.json").exists()
    process = start("killed")
    told = process.communicate()[1]
    assert process.returncode == 0, told.decode()
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
    assert set(COLUMNS) <= {file.stem for file in (tmp_path / "killed").iterdir()}


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 2000)
    source = ndjson(tmp_path / "a.ndjson", patient("a"), *(condition(f"c{n}", "a") for n in range(60)))
    done = []
    reading = work.read_piece

    def stopping(job, piece, key):
        if len(done) == 4:
            raise OSError(5, "Input/output error")
        done.append(key)
        reading(job, piece, key)

    with monkeypatch.context() as patched:
        patched.setattr(work, "read_piece", stopping)
        with pytest.raises(InputError):
            read(tmp_path / "out", source)
    again = []
    monkeypatch.setattr(work, "read_piece", lambda job, piece, key: (again.append(key), reading(job, piece, key)))
    read(tmp_path / "out", source)
    assert len(done) == 4 and not set(done) & set(again) and len(again) >= 3
    assert len(conditions(tmp_path / "out")) == 60
