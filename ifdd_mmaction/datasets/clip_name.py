"""Names of clips that stay below the folder that they belong to."""

from __future__ import annotations

import re

from .errors import DatasetError


def check_name(name: str) -> str:
    """Return the name of a clip, or refuse one that leads out of its folder.

    The name alone is looked at: links below a data root may lead anywhere, see
    ``docs/security.md``.

    Raises:
        DatasetError: If it is empty or absolute, or has ``..``, a backslash or a NUL.
    """
    parts = name.split('/')
    if {'', '.', '..'} & set(parts) or re.search(r'^[A-Za-z]:|[\\\0]', name):
        raise DatasetError(
            f'clip name {name!r}: want a relative path without .., and / in place of a '
            'backslash'
        )
    return name
