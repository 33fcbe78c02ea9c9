"""The error of what a user hands in."""


class InputError(ValueError):
    """A video, a model or an option cannot be used; says why and what to change.

    The command-line tools print it and exit with code 2.
    """
