"""How the findings of photo_faces_report.py are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from temporal_reliance_tables import cell, row

from .scores import FEW

PARTS = {
    'everybody': 'everybody',
    'trained_on': 'of other folds',
    'held_out': 'held out',
}


def to_markdown(report: Mapping[str, Any]) -> str:
    """Lay a report out as Markdown."""
    models, classes = report['models'], report['classes']
    name, first = next(iter(models.items()))
    held_out, photos = first['held_out'], first.get('photos')
    lines = [
        '# Photographed faces',
        '',
        f'In percent, in brackets 95 % intervals, bootstrapped over people. A class is '
        f'one of {len(classes)}; chance is {100 / len(classes):.1f}. ECE has no '
        'interval; T is the temperature that divides logits.',
        '',
        f'## Held-out people: {held_out["clips"]} clips of {held_out["people"]} '
        f'people, fold {report["fold"]} of {report["data_root"]}',
        '',
        row('model', 'parameters', 'WAR', 'UAR', 'ECE', 'T',
            'UAR of the first - this'),
        row(*['---'] * 7),
    ]  # fmt: skip
    for key, model in models.items():
        found = model['held_out']
        lines.append(
            row(
                key,
                f'{model["parameters"]:,}',
                cell(found['WAR']),
                cell(found['UAR']),
                f'{100 * found["calibration"]["ECE"]:.1f}',
                _temperature(model),
                _difference(model, 'held_out'),
            )
        )
    lines += ['', row('recall', *classes), row(*['---'] * (1 + len(classes)))]
    for key, model in models.items():
        lines.append(row(key, *map(cell, model['held_out']['recall'].values())))
    lines += ['', *_group_tables(name, held_out)]
    if photos:
        lines += ['', *_photo_tables(report), '', *_group_tables(name, photos)]
        lines += ['', *_smile_table(name, photos['smiles'])]
    return '\n'.join(lines) + '\n'


def _photo_tables(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables of the photographs."""
    models = report['models']
    everybody = next(iter(models.values()))['photos']['everybody']
    present = [name for name, found in everybody['recall'].items() if found]
    yield (
        f'## Photographs: {everybody["clips"]} clips of {everybody["people"]} people, '
        f'{report["photos"]}'
    )
    yield ''
    yield (
        f'Neutral photographs of the people of other folds than {report["fold"]} are '
        f'the texture of clips of {report["data_root"]} that models may be trained on; '
        'photographs of smiles are used nowhere else.'
    )
    yield ''
    yield row('model', 'people', 'clips', 'UAR', *present, 'ECE',
              'UAR of the first - this')  # fmt: skip
    yield row(*['---'] * (6 + len(present)))
    for name, model in models.items():
        for part, words in PARTS.items():
            found = model['photos'][part]
            if found is None:
                continue
            yield row(
                name,
                words,
                found['clips'],
                cell(found['UAR']),
                *(cell(found['recall'][key]) for key in present),
                f'{100 * found["calibration"]["ECE"]:.1f}',
                _difference(model, 'photos') if part == 'everybody' else '',
            )


def _group_tables(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table of groups, and the sentence about the largest gap."""
    yield f'By reported group, {name}:'
    yield ''
    yield row('attribute', 'group', 'people', 'UAR', 'UAR - that of all')
    yield row(*['---'] * 5)
    for attribute, groups in found['groups'].items():
        for value, score in groups.items():
            yield row(
                attribute,
                value,
                score['people'],
                cell(score['UAR']),
                cell(score['minus_all'], signed=True),
            )
    for key, of in (
        ('largest_gap', 'any group'),
        ('largest_gap_of_enough_people', f'groups of {FEW} people or more'),
    ):
        gap = found[key]
        if gap:
            yield ''
            yield (
                f'Farthest below the mean, of {of}: {gap["attribute"]} {gap["group"]} '
                f'(people: {gap["people"]}), {cell(gap["minus_all"], signed=True)} '
                'points.'
            )


def _smile_table(name: str, smiles: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the table of smiles by their strength."""
    if smiles is None:
        yield 'Fewer than three smiles have a strength: sets of older tools have none.'
        return
    groups = list(next(iter(smiles.values()))['groups'])
    yield (
        f'Smiles that are recognized, {name}, by their strength: by how much the mouth '
        'gets wider, in distances of the eyes.'
    )
    yield ''
    yield row('smiles', 'strength', *groups)
    yield row(*['---'] * (2 + len(groups)))
    for part, found in smiles.items():
        low, high = found['strength']
        recalls = [
            f'{cell(group["recall"])} of {group["smiles"]}'
            for group in found['groups'].values()
        ]
        yield row(part, f'{low:.3f} to {high:.3f}', *recalls)


def _temperature(model: Mapping[str, Any]) -> str:
    found = model.get('temperature')
    return '-' if found is None else f'{found:.3f}'


def _difference(model: Mapping[str, Any], key: str) -> str:
    minus = model.get('first_minus_this')
    return cell(minus[key]['UAR'], signed=True) if minus else ''
