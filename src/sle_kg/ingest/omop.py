"""OMOP."""


def is_omop(argument: str) -> bool:
    return False
