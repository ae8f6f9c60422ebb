"""Expected failures: each carries one line that names the thing, what was expected, what was found, and the remedy."""


class StackedError(Exception):
    """Base of every failure that a user can cause and mend; the command line prints it as one line and exits with 1."""


class DataError(StackedError, ValueError):
    """The data cannot be read, or do not fit the unit or model that they were given to."""


class ModelFileError(StackedError, ValueError):
    """A model file is missing, foreign, newer, damaged or hostile."""


class SettingError(StackedError, ValueError):
    """A parameter is unknown, out of range, or contradicts another."""


class DivergedError(StackedError, ArithmeticError):
    """Training stopped because the loss was not finite or exploded; the last good weights were kept."""
