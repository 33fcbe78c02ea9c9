"""Read lists of clips with their labels."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .errors import DatasetError, name_some


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


#: Line number, and what stands in the line.
Row = tuple[int, list[str]]


def read_text(path: Path) -> str:
    """Read a text file of UTF-8, with or without a byte order mark.

    Raises:
        DatasetError: If it cannot be read or is in another encoding.
    """
    try:
        return path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise DatasetError(f'{path}: not UTF-8 ({error}): save it as UTF-8') from error
    except OSError as error:
        raise DatasetError(f'{path}: cannot be read: {error.strerror}') from error


def csv_rows(path: Path) -> list[Row]:
    """Return the cells of each line of a CSV file, stripped; empty lines are left out.

    Raises:
        DatasetError: If :func:`read_text` refuses the file, or a cell has no end.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=''))
    try:
        return [(reader.line_num, [cell.strip() for cell in r]) for r in reader if r]
    except csv.Error as error:
        raise DatasetError(
            f'{path}:{reader.line_num}: not CSV ({error}): close its quotes'
        ) from error


def word_rows(path: Path) -> list[Row]:
    """Return all but the last word of each line, and the last word.

    Raises:
        DatasetError: If :func:`read_text` refuses the file.
    """
    lines = enumerate(read_text(path).split('\n'), start=1)
    return [(i, line.strip().rsplit(None, 1)) for i, line in lines if line.strip()]


def collect_labels(
    path: Path,
    rows: Iterable[Row],
    parse: Callable[[list[str]], tuple[str, int | None]],
) -> dict[str, int]:
    """Return the label of each clip, in the order of the rows.

    Args:
        path: What to call the file in errors.
        rows: What is in it.
        parse: Turns a row into the clip's name and its label, None for a clip that is
            no part of the protocol; a ValueError says what is wrong with the row.

    Raises:
        DatasetError: If a row is bad or a clip is listed twice; all rows are looked at
            before the message is written. Or if no clip is left.
    """
    labels: dict[str, int | None] = {}
    errors = []
    for line, row in rows:
        try:
            name, label = parse(row)
            if name in labels:
                raise ValueError(f'clip {name} is listed twice')
            labels[name] = label
        except ValueError as error:
            errors.append(f'{path}:{line}: {error}')
    if errors:
        raise DatasetError(
            f'{len(errors)} bad lines in the annotation:\n' + name_some(errors)
        )
    labelled = {name: label for name, label in labels.items() if label is not None}
    if not labelled:
        raise DatasetError(f'{path}: no labelled clip in it: get the official list')
    return labelled


def class_index(name: str, classes: Sequence[str]) -> int:
    """Return the index of a class name, in whatever case it is written.

    Raises:
        ValueError: If it is none of the classes; they are named.
    """
    known = [c.casefold() for c in classes]
    if name.casefold() not in known:
        raise ValueError(f'class {name!r} is none of {", ".join(classes)}')
    return known.index(name.casefold())
