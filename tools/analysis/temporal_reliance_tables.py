"""How the findings of temporal_reliance.py are written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

IN_ORDER = 'in order'
#: Most names in a sentence.
NAMED = 5


def to_json(report: Mapping[str, Any]) -> str:
    """Write a report as JSON, an estimate in a line."""
    text = json.dumps(report, indent=1)
    # What has no braces inside is a line.
    return re.sub(r'\{[^{}]*\}', lambda m: re.sub(r'\n *', ' ', m[0]), text) + '\n'


def cell(estimate: Mapping[str, float] | None, signed: bool = False) -> str:
    """Return an estimate in percent; a dash for a class without clips."""
    if estimate is None:
        return '-'
    digits = '+.1f' if signed else '.1f'
    mean, low, high = (format(100 * estimate[k], digits) for k in estimate)
    return f'{mean} [{low}, {high}]'


def row(*cells: object) -> str:
    """Return a line of a table."""
    return f'| {" | ".join(map(str, cells))} |'


def to_markdown(report: Mapping[str, Any]) -> str:
    """Lay a report out as Markdown."""
    lines = ['# Reliance on time', '', *sentences(report), '']
    for name, model in report['models'].items():
        lines += [
            f'## {name}',
            '',
            f'{model["config"]}, {model["checkpoint"]}, {model["recognizer"]}, clips '
            f'of {model["num_frames"]} frames.',
            '',
            *order_table(model),
            '',
            *recall_table(model, report['classes']),
            '',
        ]
    if any(report['plan']['kinds']):
        lines += ['## Bad frames', '', *noisy_table(report), '', *index_table(report)]
    others = [n for n, m in report['models'].items() if any(map(_minus, m))]
    if others:
        lines += ['## Differences between models', '', *difference_table(report), '']
    return '\n'.join(lines).rstrip() + '\n'


def orders_of_models(report: Mapping[str, Any]) -> str:
    """Lay out what was tested, and the UAR of each model on each order of frames."""
    models = report['models']
    lines = [*sentences(report), '', 'UAR:', '', row('frames', *models)]
    lines.append(row(*['---'] * (len(models) + 1)))
    for order in next(iter(models.values()))['orders']:
        found = (model['orders'][order]['UAR'] for model in models.values())
        lines.append(row(order, *map(cell, found)))
    return '\n'.join(lines)


def sentences(report: Mapping[str, Any]) -> Iterator[str]:
    """Say what was tested, and what is peculiar."""
    groups = report['groups']
    if groups['source'] == 'clips':
        over = 'over clips, which is too narrow: no subjects or groups are known'
    else:
        over = f'over {groups["number"]} {groups["source"]}'
    of = ', '.join(
        f'{key} {report[key]}' for key in ('split', 'fold') if report[key] is not None
    )
    yield (
        f'{report["clips"]} clips of {report["data_root"]}{of and f" ({of})"}, in '
        f'percent, in brackets 95 % intervals, bootstrapped {over}; differences are '
        f'paired by clip. Seed {report["plan"]["seed"]}.'
    )
    if absent := report['absent_classes']:
        yield f'No clips of {", ".join(absent)}: not in UAR.'
    for name, model in report['models'].items():
        if still := model['still_clips']:
            yield (
                f'{name}: {len(still)} clips have one frame all the time '
                f'({_some(still)}): no order of frames changes them.'
            )
        if unread := model['unread_clips']:
            yield (
                f'{name}: {len(unread)} clips could not be read and count as wrong '
                f'({_some(list(unread))}).'
            )


def order_table(model: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table of the orders of frames."""
    yield row('frames', 'WAR', 'UAR', 'WAR - in order', 'UAR - in order',
              'other prediction')  # fmt: skip
    yield row(*['---'] * 6)
    for name, found in model['orders'].items():
        minus = found['minus_in_order']
        differences = (
            ('', '', '')
            if name == IN_ORDER
            else (
                *(cell(minus[key], signed=True) for key in ('WAR', 'UAR')),
                f'{100 * found["other_prediction"]:.1f}',
            )
        )
        yield row(name, cell(found['WAR']), cell(found['UAR']), *differences)


def recall_table(model: Mapping[str, Any], classes: list[str]) -> Iterator[str]:
    """Yield the recall of each class, without intervals, which are in the JSON."""
    yield row('recall', *classes)
    yield row(*['---'] * (len(classes) + 1))
    for name, found in model['orders'].items():
        recall = (found['recall'][key] for key in classes)
        yield row(name, *(f'{100 * r["mean"]:.1f}' if r else '-' for r in recall))


def noisy_table(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield UAR by kind, model and number of bad frames."""
    counts = sorted(
        {int(k) for m in report['models'].values() for of in m['noisy'].values()
         for k in of}
    )  # fmt: skip
    yield 'UAR, by number of bad frames:'
    yield ''
    yield row('bad frames', 'model', 0, *counts)
    yield row(*['---'] * (len(counts) + 3))
    for kind in report['plan']['kinds']:
        for name, model in report['models'].items():
            found = {int(k): v for k, v in model['noisy'][kind].items()}
            yield row(
                kind.replace('_', ' '),
                name,
                cell(model['orders'][IN_ORDER]['UAR']),
                *(cell(found[k]['UAR']) if k in found else '-' for k in counts),
            )


def index_table(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield how many bad frames the dynamics group reads, for models with a split."""
    models = {n: m for n, m in report['models'].items() if m['indexes']}
    if not models:
        return
    yield 'Bad frames among the frames that the dynamics group reads, before they were'
    yield 'bad, and the difference (below 0: it avoids them):'
    yield ''
    yield row('bad frames', 'model', 'number', 'chance', 'read', 'before', 'difference')
    yield row(*['---'] * 7)
    for kind in report['plan']['kinds']:
        for name, model in models.items():
            for count, found in model['indexes'][kind].items():
                yield row(
                    kind.replace('_', ' '),
                    name,
                    count,
                    f'{100 * found["chance"]:.1f}',
                    cell(found['dynamics']),
                    cell(found['dynamics_before']),
                    cell(found['dynamics_moved'], signed=True),
                )
    yield ''


def difference_table(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the differences of UAR to the first model."""
    found = {
        name: model[key]
        for name, model in report['models'].items()
        for key in filter(_minus, model)
    }
    yield f'UAR minus that of {next(iter(report["models"]))}, paired by clip:'
    yield ''
    yield row('frames', *found)
    yield row(*['---'] * (len(found) + 1))
    for variant in next(iter(report['models'].values()))['orders']:
        yield row(
            variant, *(cell(d[variant]['UAR'], signed=True) for d in found.values())
        )


def _minus(key: str) -> bool:
    return key.startswith('minus ')


def _some(names: list[str]) -> str:
    shown = ', '.join(names[:NAMED])
    return f'{shown}, ...' if len(names) > NAMED else shown
