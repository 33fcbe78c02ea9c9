"""Tables over folds and seeds: plain means, with what they are means of."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ..fileio import write_atomic

#: The checkpoints of a fold; both scores of a cell pair are of the same one.
CHECKPOINTS = ('last', 'best')


def mean_std(values: Sequence[float]) -> dict[str, Any]:
    """Return plain ``mean``, ``std`` (n - 1) and ``n``; None where undefined.

    Example:
        >>> from ifdd_mmaction.evaluation import mean_std
        >>> mean_std([0.5, 0.75, 1.0])
        {'mean': 0.75, 'std': 0.25, 'n': 3}
    """
    return dict(
        mean=statistics.mean(values) if values else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        n=len(values),
    )


def percent(summary: Mapping[str, Any], digits: int = 2) -> str:
    """Write a summary of fractions as ``mean ± std`` in percent.

    Example:
        >>> from ifdd_mmaction.evaluation import mean_std, percent
        >>> percent(mean_std([0.5, 0.75, 1.0]))
        '75.00 ± 25.00'
    """
    parts = [summary[k] for k in ('mean', 'std') if summary[k] is not None]
    return ' ± '.join(f'{100 * part:.{digits}f}' for part in parts) or '-'


def fold_table(rows: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Make the table of a protocol with folds.

    Args:
        rows: One a fold: ``fold``, and ``last`` and ``best``, each the ``epoch``,
            ``WAR`` and ``UAR`` (fractions) of one checkpoint, or absent.

    Returns:
        Markdown, and a record with the ``rows`` and ``mean``: by checkpoint and score
        the :func:`mean_std` over the rows. A checkpoint that a row lacks has no mean:
        it would be over other folds than its neighbor's.

    Example:
        >>> from ifdd_mmaction.evaluation import fold_table
        >>> scores = dict(epoch=100, WAR=0.75, UAR=0.625)
        >>> markdown, record = fold_table([dict(fold=i, last=scores) for i in (1, 2)])
        >>> print(markdown)
        | fold | last epoch | WAR (%) | UAR (%) | best epoch | WAR (%) | UAR (%) |
        | --- | --- | --- | --- | --- | --- | --- |
        | 1 | 100 | 75.00 | 62.50 | - | - | - |
        | 2 | 100 | 75.00 | 62.50 | - | - | - |
        | mean of 2 |  | 75.00 ± 0.00 | 62.50 ± 0.00 |  | - | - |
        >>> record['mean']['last']['WAR']
        {'mean': 0.75, 'std': 0.0, 'n': 2}
    """
    rows = sorted(rows, key=lambda row: row['fold'])
    lines = [
        '| fold | last epoch | WAR (%) | UAR (%) | best epoch | WAR (%) | UAR (%) |',
        '| --- | --- | --- | --- | --- | --- | --- |',
    ]
    means: dict[str, dict[str, Any]] = {}
    for name in CHECKPOINTS:
        found = [row[name] for row in rows if row.get(name)]
        found = found if len(found) == len(rows) else []
        means[name] = {k: mean_std([s[k] for s in found]) for k in ('WAR', 'UAR')}
    for row in rows:
        cells = [str(row['fold'])]
        for name in CHECKPOINTS:
            scores = row.get(name)
            cells += (
                [str(scores['epoch']), *(f'{100 * scores[k]:.2f}' for k in means[name])]
                if scores
                else ['-'] * 3
            )
        lines.append(f'| {" | ".join(cells)} |')
    cells = [f'mean of {len(rows)}']
    for summaries in means.values():
        cells += ['', *map(percent, summaries.values())]
    lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines), dict(rows=rows, mean=means)


def write_table(
    out: str | os.PathLike, markdown: str, record: Mapping[str, Any]
) -> None:
    """Write a table to ``OUT.md`` and ``OUT.json``.

    Example:
        >>> from ifdd_mmaction.evaluation import write_table
        >>> write_table('scores', '| WAR |', dict(WAR=0.75))
        >>> print(open('scores.json').read())
        {
         "WAR": 0.75
        }
    """
    text = json.dumps(record, indent=1)
    write_atomic(f'{os.fspath(out)}.md', f'{markdown}\n'.encode())
    write_atomic(f'{os.fspath(out)}.json', f'{text}\n'.encode())
