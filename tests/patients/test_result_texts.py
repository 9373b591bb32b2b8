"""A text beside a coded result: it may contradict the code, explain it, or say nothing."""

import pytest

from patients.fhir_builder import loinc, observation, read, reasons, rows, snomed

POSITIVE, NEGATIVE = snomed("10828004"), snomed("260385009")


def answered(folder, answer, text):
    """Whether a result with a coded answer and a text is read as positive, and why it was unread."""
    data = read(folder, observation(loinc("8061-4"), valueCodeableConcept=answer | {"text": text}))
    [row] = rows(data, "measurement")
    return row["positive"], reasons(data)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (NEGATIVE, "None detected"),
        (NEGATIVE, "none present"),
        (NEGATIVE, "Nil  detected"),
        (NEGATIVE, "Never detected"),
        (NEGATIVE, "Below detectable limits"),
        (NEGATIVE, "below the lower limit of detectable antibody"),
        (NEGATIVE, "Less than detectable"),
        (NEGATIVE, "Without detectable antibodies"),
        (NEGATIVE, "0.1 (reactive >1.0)"),
        (NEGATIVE, "<10 IU/mL, positive >= 10"),
        (NEGATIVE, "Index 0.12 (< 1.0 nonreactive, >= 1.0 reactive)"),
        (NEGATIVE, "0.1 (pos >1.0)"),
        (NEGATIVE, "Positive control valid"),
        (POSITIVE, "Absent C3 staining, ANA pos"),
        (POSITIVE, "Positive, none detected before"),
        (POSITIVE, "5.2 (negative < 1.0)"),
        (POSITIVE, "without detectable nucleolar staining"),
    ],
)
def test_a_text_that_does_not_really_say_otherwise_leaves_the_code(tmp_path, answer, text):
    assert answered(tmp_path, answer, text) == (answer is POSITIVE, [])


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (NEGATIVE, "POSITIVE >1:640"),
        (NEGATIVE, "ANA pos"),
        (NEGATIVE, "HEp-2: positive >1:640"),
        (NEGATIVE, "5.2 reactive (negative < 1.0)"),
        (NEGATIVE, "0.9 equivocal (positive > 1.1)"),
        (NEGATIVE, "Antibodies present. Comments: none"),
        (NEGATIVE, "Positive, below the previous titre"),
        (NEGATIVE, "Reactive without treatment"),
        (POSITIVE, "None detected"),
        (POSITIVE, "neg"),
        (POSITIVE, "Below detectable limit"),
        (POSITIVE, "<0.1, negative"),
    ],
)
def test_a_text_that_says_otherwise_leaves_nothing(tmp_path, answer, text):
    positive, [why] = answered(tmp_path, answer, text)
    assert positive is None and "its text" in why
