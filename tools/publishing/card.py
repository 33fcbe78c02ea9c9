"""The model card of a released checkpoint: what it is, what it can do, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ifdd_mmaction.evaluation import calibration_scores, tempered

_GATED = (
    'The code of this package is Apache-2.0. The dataset is handed out by its authors '
    'for research that is not commercial, and may not be passed on. Read their '
    'agreement before you use this checkpoint for anything else: whether it binds '
    'weights that were trained on the data is not settled.'
)
_FOLDS = 'Five official folds, reported as the mean over them'
_NO_VALIDATION = (
    'There is no official validation split. The numbers are of the last epoch, not of '
    'the best one on the test clips.'
)


class Data(NamedTuple):
    """What a card says about a dataset."""

    name: str  # without spaces: mim makes names of columns of it
    protocol: str
    license: str
    limits: str


_WILD = (
    'Film and television clips with labels by vote. The labels are what onlookers saw, '
    'their agreement is moderate, and some classes have few clips. Age, skin, culture '
    'and camera are not balanced, and nobody has measured what this does to the errors.'
)

_DRAWN_LICENSE = 'Apache-2.0, weights and clips: this project draws the clips itself.'
_DRAWN_LIMITS = (
    '**A demonstration on synthetic data.** It is trained on drawn faces of 64 x '
    '64 pixels only. Its predictions on photographed faces mean nothing.'
)

DATA: dict[str, Data] = {
    'dfew': Data('DFEW', f'{_FOLDS}. {_NO_VALIDATION}', _GATED, _WILD),
    'ferv39k': Data('FERV39k', f'One official split. {_NO_VALIDATION}', _GATED, _WILD),
    'mafw': Data('MAFW', f'{_FOLDS}. {_NO_VALIDATION}', _GATED, _WILD),
    'drawn': Data(
        'Drawn-Sample',
        'The clips that `tools/data/make_sample_dfew.py` draws with its defaults: 120 '
        'subjects in seven classes, 24 of them held out in each of five folds. The '
        'numbers are of the last epoch.',
        _DRAWN_LICENSE,
        _DRAWN_LIMITS,
    ),
    'drawn-wide': Data(
        'Drawn-Wide',
        'The clips that `tools/data/make_sample_dfew.py --timing wide` draws: 120 '
        'subjects in seven classes, 24 of them held out in each of five folds, and an '
        'expression that begins anywhere from -0.05 to 0.65 of the clip. The numbers '
        'are of the last epoch.',
        _DRAWN_LICENSE,
        _DRAWN_LIMITS,
    ),
    'photo': Data(
        'Photo-Faces',
        'The clips that `tools/data/make_photo_faces.py` makes: 142 photographed '
        'people in seven classes, a fifth of them held out in each of five folds. The '
        'expressions are computed. The numbers are of the last epoch.',
        'Apache-2.0. The photographs are of the Face Research Lab London Set and the '
        'Canada set (DeBruine & Jones), CC BY 4.0; the head model is ICT-FaceKit, MIT, '
        '(c) 2020 USC Institute for Creative Technologies. Name them when you pass the '
        'weights on.',
        'Trained on computed expressions of photographed people, most of them young, '
        '69 of 102 in the London Set white. Hands, glasses, tears, profiles and groups '
        'of people were not in the training clips. How often it is right on films or '
        'in daily life is not known.',
    ),
    'own': Data(
        'Own-Videos',
        'As the config says.',
        'Ask whoever released this checkpoint.',
        'Nothing is known beyond the numbers above.',
    ),
}

#: What a card calls the scores of ``calibration_scores``, in which unit and digits.
CALIBRATION = {
    'ECE': ('ECE, 15 bins (%)', 100, 2),
    'classwise_ECE': ('classwise ECE (%)', 100, 2),
    'AURC': ('AURC (%)', 100, 2),
    'Brier': ('Brier score (0 to 2)', 1, 4),
    'NLL': ('NLL (nats)', 1, 4),
}

USE = """\
## Use and misuse

Research on dynamic facial expressions, teaching, and comparing methods. The model names
the expression that a face *shows*; people show what they do not feel and feel what they
do not show. Do not use it to judge or select people, in hiring, schooling, policing,
border control, insurance, credit or medicine, to watch people who do not know or cannot
refuse, or to steer what they feel. In the European Union, Regulation 2024/1689
prohibits the use of such systems to infer emotions at work and in education (article
5(1)(f)), with narrow exceptions, and elsewhere the people exposed to them must be told
(article 50(3)). In other countries other rules may hold.
"""


def model_card(
    entry: Mapping[str, Any],
    meta: Mapping[str, Any],
    report: Mapping[str, Any],
    folds: Mapping[int, Mapping[str, float]],
    data: str,
    note: str | None,
    report_text: str = '',
) -> str:
    """Return a model card in Markdown.

    Args:
        entry: Of the metafile.
        meta: Of the checkpoint.
        report: What ``DFERMetric`` dumped for this checkpoint.
        folds: Scores of the last epoch of each fold; may be empty.
        data: Key of :data:`DATA`.
        note: A sentence to add, if any.
        report_text: Tables of further results to add, in Markdown.
    """
    about, dataset = DATA[data], meta['dataset_meta']
    facts = {
        'config': f'`{entry["Config"]}`',
        'parameters': f'{entry["Metadata"]["Parameters"]:,}',
        'data': f'{about.name}, release `{dataset["release"]}`, fold {dataset["fold"]}',
        'trained': f'{meta["epoch"]} epochs, {meta["iter"]} iterations, '
        f'seed {meta["seed"]}',
        'classes, in this order': ', '.join(dataset['classes']),
        'SHA-256 of the `.pth`': f'`{entry["SHA256"]}`',
        'released with': ', '.join(f'{k} {v}' for k, v in meta['versions'].items()),
    }
    changed = ', '.join(f'`{key}`' for key in meta['changed'])
    blocks = [
        f'# {entry["Name"]}',
        about.limits if data.startswith('drawn') else '',
        note or '',
        _table(('', ''), facts.items()),
        f'Rewritten since the training, to the same effect: {changed}.'
        if changed
        else '',
        '## Numbers',
        f'{about.protocol} {len(report["clips"])} clips were tested.',
        _table(('', '%'), _scores(report)),
        _fold_table(folds),
        report_text.strip(),
        '## Calibration',
        _calibration(report, meta.get('calibration')),
        '## Limits' if not data.startswith('drawn') else '',
        about.limits if not data.startswith('drawn') else '',
        '## License',
        about.license,
        USE,
    ]
    return '\n\n'.join(block for block in blocks if block)


def _scores(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {'WAR': 'WAR', 'UAR': 'UAR', 'F1': 'macro F1'}
    rows = [(names[key], f'{100 * report[key]:.2f}') for key in names]
    for name, value in report['recall'].items():
        rows.append(
            (f'recall of {name}', '' if value is None else f'{100 * value:.2f}')
        )
    return rows


def _calibration(
    report: Mapping[str, Any], calibration: Mapping[str, Any] | None
) -> str:
    """Return how far the probabilities can be trusted, with and without temperature."""
    scores = np.array([clip['scores'] for clip in report['clips']])
    labels = [clip['label'] for clip in report['clips']]
    columns = {'as trained': calibration_scores(scores, labels)}
    # Averaged probabilities do not tell the logits of each view.
    if calibration and calibration['average_clips'] != 'prob':
        temperature = calibration['temperature']
        columns[f'`--calibrated` (temperature {temperature:.3f})'] = calibration_scores(
            tempered(scores, temperature), labels
        )
    rows = [
        (label, *(f'{factor * found[key]:.{digits}f}' for found in columns.values()))
        for key, (label, factor, digits) in CALIBRATION.items()
    ]
    errors = columns['as trained']['class_errors']
    absent = [
        name
        for name, error in zip(report['classes'], errors, strict=True)
        if np.isnan(error)
    ]
    blocks = [_table(('', *columns), rows)]
    if absent:
        blocks.append(f'Not in the classwise ECE, without clips: {", ".join(absent)}.')
    if calibration:
        blocks.append(
            f'The temperature, {calibration["temperature"]:.4f}, was fitted on '
            f'{calibration["clips"]} validation clips, and divides the logits where '
            '`--calibrated` asks for it.'
        )
    return '\n\n'.join(blocks)


def _fold_table(folds: Mapping[int, Mapping[str, float]]) -> str:
    if not folds:
        return ''
    scores = {k: (s['WAR'], s['UAR']) for k, s in folds.items()}
    rows = [
        (str(k), f'{100 * w:.2f}', f'{100 * u:.2f}') for k, (w, u) in scores.items()
    ]
    war, uar = 100 * np.mean(list(scores.values()), axis=0)
    rows.append((f'mean of {len(scores)}', f'{war:.2f}', f'{uar:.2f}'))
    return _table(('fold', 'WAR (%)', 'UAR (%)'), rows)


def _table(header: tuple[str, ...], rows: Any) -> str:
    lines = [header, ('---',) * len(header), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
