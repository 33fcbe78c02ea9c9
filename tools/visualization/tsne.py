"""t-SNE of the features of the test clips, colored by class.

    python tools/visualization/tsne.py CONFIG CHECKPOINT

The features are extracted as by tools/extract_features.py, into
``<name>_features/`` beside the picture, and found there the next time. Needs
scikit-learn: pip install "ifdd-mmaction[analysis]". Exit codes: 0 drawn, 2 wrong data
or arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ifdd_mmaction.apis import (
    FEATURES,
    TrainedModel,
    add_model_arguments,
    extract_features,
    read_features,
)
from ifdd_mmaction.datasets import DatasetError
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.visualization import figure_path, plot_tsne, save_figure

TITLES = dict(
    vector='what is classified',
    x='$X$, before the split',
    x_s='$X_S$',
    x_d='$X_D$',
    y_s='$Y_S$, context',
    y_d='$Y_D$, dynamics',
)
FEWEST = 5


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw t-SNE of features')
    add_model_arguments(parser)
    parser.add_argument(
        '--features',
        nargs='+',
        choices=FEATURES,
        default=['vector'],
        help='a panel for each (%(default)s)',
    )
    parser.add_argument('--perplexity', type=float, default=30.0)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=figure_path, help='(tsne.png by the checkpoint)')
    parser.add_argument('--title', default='')
    parser.add_argument(
        '--dpi', type=int, default=150, help='pixels an inch (%(default)s)'
    )
    return parser.parse_args(argv)


def embed(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Return ``(N, 2)`` of ``(N, C)``."""
    from sklearn.manifold import TSNE

    # t-SNE uses 3 * perplexity neighbors: limit it to the number of clips.
    perplexity = min(perplexity, (len(features) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init='pca', random_state=seed)
    return tsne.fit_transform(features)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    out = args.out or Path(args.checkpoint).with_name('tsne.png')
    try:
        trained = TrainedModel.from_args(args)
        folder = out.parent / f'{out.stem}_features'
        extract_features(trained, folder, args.features)
        points = {}
        for name in args.features:
            features, rows = read_features(folder, name)
            read = [i for i, row in enumerate(rows) if not row['error']]
            if len(read) < FEWEST:
                raise InputError(f'{len(read)} clips: t-SNE takes at least {FEWEST}')
            labels = [int(rows[i]['label']) for i in read]
            points[TITLES[name]] = embed(features[read], args.perplexity, args.seed)
        classes = trained.dataset().metainfo['classes']
        save_figure(plot_tsne(points, labels, classes, args.title), out, dpi=args.dpi)
    except ImportError as error:
        print(f'{error}: pip install "ifdd-mmaction[analysis]"', file=sys.stderr)
        return 2
    except (DatasetError, InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
