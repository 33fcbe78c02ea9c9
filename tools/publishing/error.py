"""The error of a checkpoint that cannot be published."""


class PublishError(ValueError):
    """Something is missing or does not agree; the message says what."""
