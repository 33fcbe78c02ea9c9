"""Export a trained recognizer: ``python tools/export.py CONFIG CHECKPOINT OUT.onnx``.

OUT.onnx runs in ONNX Runtime, OUT.pt2 is a ``torch.export`` program; both take any
number of clips of the one size that the model was trained for, ``(N, 3, T, H, W)``
float32, normalized with the mean and std in the file's metadata, and give the scores of
the classes before softmax, divided by the checkpoint's temperature if ``--calibrated``
asks for it. Nothing is written unless what was exported agrees with
PyTorch. Needs ``pip install "ifdd-mmaction[export]"`` for ONNX. Exit codes: 0 exported,
2 it cannot be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ifdd_mmaction.apis import export
from ifdd_mmaction.apis.exporting import FORMATS
from ifdd_mmaction.cli import add_calibrated, add_cfg_options
from ifdd_mmaction.errors import InputError


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Export to ONNX and torch.export')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', nargs='+', type=Path, help='.onnx and .pt2 files')
    parser.add_argument(
        '--clip-shape',
        nargs=3,
        type=int,
        metavar=('T', 'H', 'W'),
        help='of a clip (that of the test pipeline)',
    )
    add_calibrated(parser)
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    for path in args.out:
        if path.suffix not in FORMATS:
            parser.error(f'{path}: give a .onnx or .pt2 file')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        export(**vars(args))
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
