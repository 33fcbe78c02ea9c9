"""The tables of pages that reproduce.py writes from docs/results."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import Column, Experiment
from temporal_reliance_tables import row as line

from ifdd_mmaction.evaluation import mean_interval, mean_std, percent, signed_percent
from ifdd_mmaction.fileio import write_atomic

#: What is between ``<!-- table: NAME PART -->`` and ``<!-- end of table -->``.
TABLE = re.compile(
    r'(?<=<!-- table: )(?P<marker>(?P<name>\w+) ?(?P<part>\w*) -->\n\n).*?'
    r'(?=\n\n<!-- end of table -->)',
    re.DOTALL,
)


def write_tables(experiments: Mapping[str, Experiment], docs: Path) -> None:
    """Write the tables of experiments into their pages."""
    pages = {docs / experiment.page for experiment in experiments.values()}
    for page in sorted({*pages, *docs.glob('results/README.md')}):
        before = page.read_text('utf-8')
        after = with_tables(before, experiments, docs / 'results')
        if after != before:
            write_atomic(page, after.encode())
            print(f'{page}: tables written')


def with_tables(text: str, experiments: Mapping[str, Experiment], results: Path) -> str:
    """Return the text of a page with the tables that the results give."""

    def replace(found: re.Match[str]) -> str:
        name, part = found['name'], found['part']
        if name == 'experiments':
            return found['marker'] + list_of_results(experiments, results)
        if name not in experiments:
            return found[0]
        path = results / f'{name}.json'
        if not path.is_file():
            command = f'python tools/analysis/reproduce.py {name}'
            return f'{found["marker"]}Not measured yet: `{command}`.'
        record = json.loads(path.read_text('utf-8'))
        lay_out = experiments[name].tables.get(part)
        table = lay_out(record) if lay_out else seeds_table(experiments[name], record)
        return found['marker'] + table

    return TABLE.sub(replace, text)


def list_of_results(experiments: Mapping[str, Experiment], results: Path) -> str:
    """Lay out the files of the experiments that have been made."""
    lines = [line('file', 'what', 'date', 'commit', 'page'), line(*['---'] * 5)]
    for name, experiment in experiments.items():
        path = results / f'{name}.json'
        if path.is_file():
            record = json.loads(path.read_text('utf-8'))
            title = Path(experiment.page).stem.replace('_', ' ')
            lines.append(
                line(
                    f'[{path.name}]({path.name})',
                    experiment.what,
                    record['date'],
                    record['commit'],
                    f'[{title}](../{experiment.page})',
                )
            )
    return '\n'.join(lines)


def seeds_table(experiment: Experiment, record: Mapping[str, Any]) -> str:
    """Lay out each row, mean and deviation over seeds, and the differences of rows."""
    columns = experiment.columns
    rows: dict[str, dict[int | None, Mapping[str, Any]]] = {}
    for run in record['runs']:
        rows.setdefault(run['row'], {})[run['seed']] = run
    lines = [line('', *columns, 'n'), line(*['---'] * (len(columns) + 2))]
    for label, runs in rows.items():
        cells = (cell([r[k] for r in runs.values()], c) for k, c in columns.items())
        lines.append(line(label, *cells, len(runs)))
    for one, other in experiment.differences:
        pairs = [(rows[one][s], rows[other][s]) for s in rows[one] if s in rows[other]]
        cells = (
            cell([a[key] - b[key] for a, b in pairs], column, is_difference=True)
            for key, column in columns.items()
        )
        lines.append(line(f'{one} - {other}', *cells, len(pairs)))
    return '\n'.join(lines)


def cell(values: Sequence[float], column: Column, is_difference: bool = False) -> str:
    """Return ``mean ± std``, or of differences ``mean [low, high]``."""
    digits = 1 if column.unit == 100 else 3
    shares = [column.unit * value / 100 for value in values]  # shown times 100
    if is_difference or column.is_difference:
        return signed_percent(mean_interval(shares), digits)
    return percent(mean_std(shares), digits)
