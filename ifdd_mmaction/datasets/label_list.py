"""Read lists of clips with their labels."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .errors import DatasetError, name_some


def check_name(name: str) -> str:
    """Return the name of a clip, or refuse one that is outside its folder.

    Only the name is checked: links below a data root may lead anywhere, see
    ``docs/security.md``.

    Raises:
        DatasetError: If it is empty or absolute, or has ``..``, a backslash or a NUL.
    """
    parts = name.split('/')
    if {'', '.', '..'} & set(parts) or re.search(r'^[A-Za-z]:|[\\\0]', name):
        raise DatasetError(
            f'clip name {name!r}: must be a relative path without .., with / instead '
            'of a backslash'
        )
    return name


#: Line number, and the cells of the line.
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
    """Return the cells of each line of a CSV file, stripped; empty lines are skipped.

    Raises:
        DatasetError: If :func:`read_text` refuses the file, or a quote is not closed.
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
        path: Name of the file in errors.
        rows: Rows of the file.
        parse: Returns the name and label of a row; the label is None for a clip that
            is not part of the protocol. Raises a ValueError for a wrong row.

    Raises:
        DatasetError: If a row is bad or a clip is listed twice; all rows are checked
            before the error is raised. Or if there is no labeled clip.
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
    labeled = {name: label for name, label in labels.items() if label is not None}
    if not labeled:
        raise DatasetError(f'{path}: no labeled clip in it: get the official list')
    return labeled


def class_index(name: str, classes: Sequence[str]) -> int:
    """Return the index of a class name, ignoring case.

    Raises:
        ValueError: If it is none of the classes; they are named.
    """
    known = [c.casefold() for c in classes]
    if name.casefold() not in known:
        raise ValueError(f'class {name!r} is none of {", ".join(classes)}')
    return known.index(name.casefold())


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV, with quotes where a cell has a comma."""
    file = io.StringIO()
    csv.writer(file, lineterminator='\n').writerows(rows)
    return file.getvalue()


def read_list(path: Path, classes: Sequence[str]) -> dict[str, int]:
    """Read a CSV file with a header ``clip,label``, the labels as names of classes.

    Raises:
        DatasetError: If its header or lines are bad.
    """
    (_, header), *rows = csv_rows(path) or [(1, [])]
    if header != ['clip', 'label']:
        raise DatasetError(
            f'{path}: the first line is {",".join(header)!r}, not clip,label: make '
            'the lists again'
        )

    def parse(row: list[str]) -> tuple[str, int]:
        if len(row) != 2:
            raise ValueError(f'{",".join(row)!r} is not a clip and a class')
        return check_name(row[0]), class_index(row[1], classes)

    return collect_labels(path, rows, parse)


def listed_folds(folder: Path) -> tuple[int, ...]:
    """Return the numbers of the folds in a folder of lists, ``set_{fold}/``.

    Raises:
        DatasetError: If it has none.
    """
    found = [re.fullmatch(r'set_(\d+)', path.name) for path in folder.glob('set_*')]
    folds = tuple(sorted(int(match[1]) for match in found if match))
    if not folds:
        raise DatasetError(f'{folder}: no lists, such as set_1/train.csv, in it')
    return folds
