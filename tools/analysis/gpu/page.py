"""The page of a report: tables of what its JSON has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contenders import SAME

from .bandwidth import SEPARATOR
from .parts import (
    NOT_REACHED,
    POOLINGS,
    PROFILE,
    checked,
    compiled_of,
    faults,
    largest_of,
    models_of,
)
from .profile import OTHER
from .run import DONE
from .speed import PEAK

NOTES = """\
Contenders take turns in one process, A B C A B C ...; ratios are to stock, medians
(quartiles) of the ratios within each round. Clips are random and lie on the device. A
step is loss, backward pass and AdamW. MiB is what the first step adds to the model at
most, as the allocator hands it out, and its ratio to stock's; the first step of a
compiled model compiles it. The share of the peak is stock's arithmetic (for a step
three forward passes) over the time, over the rate of one large matrix product of this
run. Errors are relative to the largest value that float64 has. The bound of a pooling
is four times the root of the number of roundings, times the rounding of the type; a
model may be off by twice what stock is in the same type, or by a few roundings.
Bandwidth is the bytes that a pooling must read and write once, over the time of its
kernels; a time also has the gaps between them."""


def to_markdown(report: dict[str, Any]) -> str:
    """Write a report as a page."""
    settings, found = report['settings'], report['parts']
    lines = [*heading(report), '', *verdict(report)]
    for title, table in (
        ('Training step and forward pass', models_table(found)),
        ('Where a step spends its time', profile_table(found)),
        ('Depthwise pooling by shape', poolings_table(found)),
        ('Checks', checks_table(found)),
        ('Not measured', missing(report)),
    ):
        if table := list(table):
            lines += ['', f'## {title}', '', *table]
    environment = ', '.join(f'{k} {v}' for k, v in report['environment'].items())
    command = f'python tools/analysis/gpu_report.py OUT --dtype {settings["dtype"]}'
    if settings['small']:
        command += ' --small'
    lines += ['', '## How', '', f'    {command}', '', NOTES, '', f'{environment}.']
    return '\n'.join(lines) + '\n'


def heading(report: dict[str, Any]) -> list[str]:
    """Write the title, and what was measured."""
    settings = report['settings']
    title = f'# GPU report: {settings["device"]}'
    about = ''
    if settings['small']:
        on = 'a CPU' if 'threads' in report['environment'] else 'small shapes'
        title = f'# A rehearsal on {on}: no figures of a GPU'
        about = 'It shows that the report works; on a CPU nothing is compiled. '
    t, h, w = settings['clip']
    text = (
        f'{about}`{settings["config"]}`, clips of {t} x {h} x {w}, {settings["dtype"]} '
        f'autocast, {report["date"]}.'
    )
    peak = report['parts'].get(PEAK, {}).get('rows', {})
    if 'matrix product' in peak:
        flops = peak['matrix product']['flops'] / 1e12
        text += f' A large matrix product reaches {flops:.4g} TFLOP/s'
        if 'copy' in peak:
            text += f', a copy {peak["copy"]["bytes_per_second"] / 1e9:.4g} GB/s'
        text += '.'
    return [title, '', text]


def verdict(report: dict[str, Any]) -> list[str]:
    """Say whether everything is correct, and what is not."""
    made = sum(1 for _ in checked(report['parts']))
    wrong = faults(report['planned'], report['parts'])
    if not wrong:
        return [f'All {made} correctness checks passed.']
    return [
        f'**Not correct, or not shown to be**, of {made} correctness checks:',
        '',
        *(f'- {line}' for line in wrong),
    ]


def row_of(*cells: object) -> str:
    """Write the cells of a row."""
    return '| ' + ' | '.join(map(str, cells)) + ' |'


def header(*names: str) -> list[str]:
    """Write the names of columns."""
    return [row_of(*names), '|' + '---|' * len(names)]


def spread(summary: Mapping[str, float] | None) -> str:
    """Write a ratio and its quartiles."""
    if not summary:
        return ''
    return '{median:.2f} ({quartile1:.2f} to {quartile3:.2f})'.format(**summary)


def models_table(found: Mapping[str, Any]) -> Iterator[str]:
    """Write steps and forward passes, by batch."""
    parts = [
        part
        for part in found
        if part.startswith((models_of(''), compiled_of(''), largest_of('')))
    ]  # fmt: skip
    rows = [
        (part, name, row)
        for part in parts
        for name, row in found[part]['rows'].items()
        if name in SAME
    ]
    if not rows:
        return
    yield from header(
        'part', 'contender', 'batch', 'step, ms', 'clips/s', 'times stock',
        'share of peak', 'MiB (of stock)', 'first step, s',
        'forward, ms', 'clips/s', 'times stock',
    )  # fmt: skip
    for part, name, row in rows:
        cells = [part, name, row['batch']]
        if 'step' in row:
            of_stock = found[part]['rows'].get('stock', {}).get('mib')
            memory = f'{row["mib"]:.0f}'
            memory += f' ({row["mib"] / of_stock:.2f})' if of_stock else ''
            cells += [*timed(row['step'], share=True), memory]
            first = f'{row["first_step"]:.1f}'
            if 'graphs' in row:
                first += f' ({row["graphs"]} graphs, {row["breaks"]} breaks)'
            cells += [first, *timed(row['forward'])]
        else:
            cells += [row['error'], *[''] * 8]
        yield row_of(*cells)
    limited = {row['limited_by'] for _, _, row in rows if 'limited_by' in row}
    if limited:
        yield ''
        yield f'What ended the search for the largest batch: {"; ".join(limited)}.'


def timed(own: dict[str, Any], share: bool = False) -> list[str]:
    """Write the cells of a pass."""
    cells = [
        f'{1e3 * own["seconds"]["median"]:.4g}',
        f'{own["clips_per_second"]:.4g}',
        spread(own.get('speedup')),
    ]
    if share:
        part = own.get('share_of_peak')
        cells.append('' if part is None else f'{part:.1%}')
    return cells


def profile_table(found: Mapping[str, Any]) -> Iterator[str]:
    """Write the groups of operators, models beside each other."""
    profiles = {
        name: row
        for name, row in found.get(PROFILE, {}).get('rows', {}).items()
        if 'groups' in row
    }
    for part, outcome in found.items():
        if part.startswith(compiled_of('')) and 'profile' in outcome['rows']:
            profiles.setdefault('compiled', outcome['rows']['profile'])
    if not profiles:
        return
    groups = dict.fromkeys(g for row in profiles.values() for g in row['groups'])
    yield from header('ms of a step (calls)', *profiles)
    for group in groups:
        cells = [
            f'{own["ms"]:.3g} ({own["calls"]})' if own else ''
            for own in (row['groups'].get(group) for row in profiles.values())
        ]
        yield row_of(group, *cells)
    sums = [sum(g['ms'] for g in row['groups'].values()) for row in profiles.values()]
    yield row_of('sum', *(f'{ms:.4g}' for ms in sums))
    yield ''
    for name, row in profiles.items():
        largest = ', '.join(f'{op} {ms:.3g}' for op, ms in row['others'].items())
        yield f'- The largest of {OTHER} in {name}, ms: {largest or "none"}.'


def poolings_table(found: Mapping[str, Any]) -> Iterator[str]:
    """Write time and bandwidth of each shape."""
    rows = found.get(POOLINGS, {}).get('rows', {})
    if not rows:
        return
    yield (
        'A shape is (T, H, W), heads x channels, kernel / stride. Times are in '
        'microseconds.'
    )
    yield ''
    yield from header(
        'shape', 'pooling', 'uses', 'forward', 'GB/s', 'times stock',
        'gradients', 'GB/s', 'times stock',
    )  # fmt: skip
    for label, row in rows.items():
        shape, _, name = label.partition(SEPARATOR)
        if 'error' in row:
            yield row_of(shape, name, row['error'], *[''] * 6)
            continue
        cells: list[object] = [shape, name, row['uses']]
        for kind in ('forward', 'gradients'):
            own = row[kind]
            cells += [f'{own["us"]:.4g}', f'{own["gb_per_second"]:.4g}']
            cells.append(spread(own.get('speedup')))
        yield row_of(*cells)


def checks_table(found: Mapping[str, Any]) -> Iterator[str]:
    """Write the worst of the checks of each part, dtype and result."""
    worst: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for part, name, row in checked(found):
        words = name.split(', ')
        # Of a pooling each shape has its row; of a model there is one.
        kind = words[0] if len(words) > 3 else ', '.join(words[:-1])
        worst.setdefault((part, kind, words[-1]), []).append(row)
    if not worst:
        return
    yield from header('checks', 'of', 'result', 'passed', 'largest error', 'bound')
    for key, rows in worst.items():
        errors = [row for row in rows if isinstance(row.get('error'), float)]
        top = max(errors, key=lambda row: row['error'] / row['limit'], default={})
        passed = sum(row['passed'] for row in rows)
        yield row_of(
            *key, f'{passed} of {len(rows)}', top.get('error', ''), top.get('limit', '')
        )


def missing(report: dict[str, Any]) -> Sequence[str]:
    """Name the parts that were not measured, or not to their end, and why."""
    lines = []
    for part in report['planned']:
        outcome = report['parts'].get(part, NOT_REACHED)
        if outcome['state'] != DONE:
            lines.append(f'- {part}: {outcome["state"]}: {outcome["reason"]}')
    return lines
