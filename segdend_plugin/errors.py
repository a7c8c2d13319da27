"""What can go wrong, by whose remedy it needs. Every message is one sentence: the field, the value and the remedy."""

from __future__ import annotations


class SegDendError(Exception):
    """Base of every error that the user can mend; the command line prints it and exits with status 2."""


class ConfigError(SegDendError):
    """A field of the description of an experiment is wrong."""


class DataError(SegDendError):
    """Images or labels are missing, damaged or out of range."""


class MorphologyError(SegDendError):
    """A cell file cannot be found, read or used."""


class MechanismError(SegDendError):
    """The NMODL mechanisms cannot be built or loaded."""


class StoppedError(SegDendError):
    """A signal has ended the run, which was saved."""


class ParallelError(SegDendError):
    """The MPI processes do not form one parallel job."""
