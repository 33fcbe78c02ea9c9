"""The error of what a user hands in."""


class InputError(ValueError):
    """A video, a model or an option cannot be used; one line says why, and what to do.

    The command-line tools print it and leave with exit code 2.
    """
