"""One exception tree. A message names the file, the place in it and the cure, in one sentence."""


class SleKgError(Exception):
    """Anything a user can cause and mend; the command line prints it and exits with 2."""


class InputError(SleKgError):
    """A file or option of the user that cannot be used."""


class TrialFileError(SleKgError):
    """A trial file that says something the vocabulary cannot express, or says it wrongly."""


class MissingToolError(SleKgError):
    """Something asked for needs an optional package or program that is not installed."""
