"""The temporal order of image files, from the numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from ..errors import DatasetError

#: A number with a point in it; in 1.2.3 the points separate numbers.
_NUMBER = re.compile(r'((?<!\d)(?<!\d\.)\d+\.\d+(?!\d)(?!\.\d)|\d+)')
_REMEDY = 'rename the files to 00001.jpg, 00002.jpg and so on'


def order_frames(folder: Path, names: Sequence[str]) -> list[str]:
    """Sort the files of a folder by the numbers in their names.

    This is the natural order of the whole name, in which ``10`` follows ``9`` and
    ``0.5`` follows ``0.25``: the first number that differs decides, in
    ``1_224x224.jpg, 10_224x224.jpg`` as in ``frame1_aligned_0.jpg,
    frame10_aligned_0.jpg``. If several numbers differ and each gives an order, such as
    a counter and a confidence, integers are preferred to decimals, and numbers at
    equal distances to others.

    Args:
        folder: The folder, for errors.
        names: Names of files with a suffix, in any order.

    Raises:
        DatasetError: If a name has no number, two have the same numbers, or the numbers
            give no unique order; the error names two of the files.
    """
    stems = {name: name.rpartition('.')[0] for name in names}
    if all(stem.isdecimal() for stem in stems.values()):  # the most frequent case
        return _distinct(folder, {name: (Decimal(s),) for name, s in stems.items()})
    parts = {name: _NUMBER.split(stem.casefold()) for name, stem in stems.items()}
    _refuse_unlike(folder, parts)
    texts = {name: part[1::2] for name, part in parts.items()}
    _refuse_two_meanings(folder, texts)
    keys = {name: tuple(map(Decimal, text)) for name, text in texts.items()}
    order = _distinct(folder, keys)
    words = {name: part[::2] for name, part in parts.items()}
    candidates = _candidates(keys, order)
    if len({tuple(w) for w in words.values()}) > 1 and len(candidates) < 2:
        other = next(name for name in order if words[name] != words[order[0]])
        raise DatasetError(
            f'{folder}: the order of {order[0]} and {other} is not clear: their words '
            f'differ, and other files have the same numbers: {_REMEDY}'
        )
    return _agreed(folder, keys, order, candidates)


def _distinct(folder: Path, keys: dict[str, tuple[Decimal, ...]]) -> list[str]:
    order = sorted(keys, key=lambda name: (keys[name], name))
    for one, other in pairwise(order):
        if keys[one] == keys[other]:
            raise DatasetError(
                f'{folder}: {one} and {other} have the same number '
                f'{", ".join(map(str, keys[one]))}: remove one of them'
            )
    return order


def _refuse_unlike(folder: Path, parts: dict[str, list[str]]) -> None:
    """Refuse names without a number, and names with different counts of numbers."""
    first, length = min(parts), len(parts[min(parts)])
    for name in sorted(parts):
        if len(parts[name]) == 1:
            raise DatasetError(
                f'{folder / name}: no frame number in the file name: remove the file, '
                f'or {_REMEDY}'
            )
        if len(parts[name]) != length:
            raise DatasetError(
                f'{folder}: the order of {first} and {name} is not clear: one name has '
                f'more numbers: remove one of the files, or {_REMEDY}'
            )


def _refuse_two_meanings(folder: Path, texts: dict[str, list[str]]) -> None:
    """Refuse 1.9 and 1.10, whose point can be a decimal point or a separator."""
    for column in range(len(next(iter(texts.values())))):
        cells = {name: text[column] for name, text in texts.items()}
        behind = {n: c.partition('.')[2] for n, c in cells.items() if '.' in c}
        if len(set(map(len, behind.values()))) < 2:
            continue
        for name, digits in behind.items():
            if digits != '0' and digits.endswith('0'):
                other = next(n for n in behind if len(behind[n]) != len(digits))
                raise DatasetError(
                    f'{folder}: the order of {name} and {other} is not clear: the '
                    f'point can be a decimal point or a separator: {_REMEDY}'
                )


#: The order by one number, whether it is an integer in all names, and whether its
#: values have equal distances.
_Candidate = tuple[list[str], bool, bool]


def _candidates(
    keys: dict[str, tuple[Decimal, ...]], natural: list[str]
) -> list[_Candidate]:
    """Return the natural order, and the order by each number that is unique."""
    columns = list(zip(*(keys[name] for name in natural), strict=True))
    differing = [column for column in columns if len(set(column)) > 1]
    found: list[_Candidate] = []
    for column in differing:
        if len(set(column)) == len(natural):
            pairs = sorted(zip(column, natural, strict=True))
            whole = all(value == value.to_integral_value() for value in column)
            steps = {b[0] - a[0] for a, b in pairwise(pairs)}
            found.append(([name for _, name in pairs], whole, len(steps) == 1))
    first = differing[0] if differing else ()
    whole = all(value == value.to_integral_value() for value in first)
    repeats = len(set(first)) < len(natural)
    return [(natural, whole, repeats), *found]


def _agreed(
    folder: Path,
    keys: dict[str, tuple[Decimal, ...]],
    natural: list[str],
    candidates: list[_Candidate],
) -> list[str]:
    for better in (1, 2):
        if len({tuple(c[0]) for c in candidates}) > 1:
            candidates = [c for c in candidates if c[better]] or candidates
    orders = [c[0] for c in candidates]
    for order in orders[1:]:
        for one, other in zip(orders[0], order, strict=True):
            if one != other:
                raise DatasetError(
                    f'{folder}: the order of {one} and {other} is not clear: their '
                    'numbers '
                    f'{_numbers(keys[one])} and {_numbers(keys[other])} give two '
                    f'orders: {_REMEDY}'
                )
    return orders[0]


def _numbers(key: tuple[Decimal, ...]) -> str:
    return '(' + ', '.join(map(str, key)) + ')'
