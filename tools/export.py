"""Export a trained recognizer: ``python tools/export.py CONFIG CHECKPOINT OUT.onnx``.

OUT.onnx runs in ONNX Runtime, OUT.pt2 is a ``torch.export`` program; both take any
number of clips of the one size that the model was trained for, ``(N, 3, T, H, W)``
float32, normalised with the mean and std in the file's metadata, and give the scores of
the classes before softmax. Nothing is written unless what was exported agrees with
PyTorch. Needs ``pip install "ifdd-mmaction[export]"`` for ONNX. Exit codes: 0 exported,
2 it cannot be.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.utils import digit_version
from torch import Tensor, nn

from ifdd_mmaction.apis import TorchPredictor
from ifdd_mmaction.apis.face_clips import ClipPipeline
from ifdd_mmaction.apis.models import read_config
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.models.infer_neck import is_2d
from ifdd_mmaction.version import __version__

#: Numbers of clips that are compared, and the largest difference of a score, relative
#: to the largest score.
BATCHES, TOLERANCE = (1, 2, 5), 1e-4


class Scorer(nn.Module):
    """From normalised clips ``(N, 3, T, H, W)`` to scores ``(N, K)``."""

    def __init__(self, model: nn.Module, frames_first: bool) -> None:
        super().__init__()
        self.model = model
        self.frames_first = frames_first

    def forward(self, clips: Tensor) -> Tensor:
        if self.frames_first:  # (N, T, 3, H, W), as a Recognizer2D takes them
            views = clips.transpose(1, 2).contiguous()
        else:
            views = clips[:, None]
        return self.model.extract_feat(views, stage='head')[0]


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
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='KEY=VALUE into the config'
    )
    args = parser.parse_args(argv)
    for path in args.out:
        if path.suffix not in ('.onnx', '.pt2'):
            parser.error(f'{path}: give a .onnx or .pt2 file')
    return args


def find_clip_shape(cfg: Config) -> tuple[int, ...]:
    """Return (T, H, W) of the clips that the config's test pipeline makes."""
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    pipeline = ClipPipeline(cfg)
    # A frame larger than what any pipeline makes of it.
    frames = [np.zeros((512, 512, 3), np.uint8)] * pipeline.clip_len
    inputs = pipeline(frames)  # (M, 3, T, H, W), or (M * T, 3, H, W)
    return pipeline.clip_len, *inputs.shape[-2:]


def describe(
    cfg: Config, predictor: TorchPredictor, clip_shape: Sequence[int]
) -> dict[str, str]:
    """Return what a user of the file must know, each value as JSON."""
    preprocessor = predictor.model.data_preprocessor
    if getattr(preprocessor, 'to_rgb', False):
        raise InputError('data_preprocessor.to_rgb: frames are RGB already; unset it')
    mean, std = [0.0] * 3, [1.0] * 3
    if hasattr(preprocessor, 'mean'):
        mean, std = (
            getattr(preprocessor, name).flatten().tolist() for name in ('mean', 'std')
        )
    values: dict[str, Any] = dict(
        classes=list(predictor.classes),
        mean=mean,
        std=std,
        clip_shape=list(clip_shape),
        average_clips=predictor.model.cls_head.average_clips,
        frames_first=is_2d(cfg.model),
        ifdd_mmaction=__version__,
    )
    return {key: json.dumps(value) for key, value in values.items()}


def rename_instance_norms(model: nn.Module) -> None:
    """Give the norms that MMCV calls ``in`` another name, in place.

    PyTorch writes the exported program down as Python, where ``in`` is a keyword.
    """
    for module in model.modules():
        if getattr(module, 'norm_name', None) == 'in':
            norm = getattr(module, 'in')
            delattr(module, 'in')
            module.norm_name = 'instance_norm'
            module.add_module(module.norm_name, norm)


def trace(scorer: Scorer, clip_shape: Sequence[int]) -> torch.export.ExportedProgram:
    """Export to a program for any number of clips.

    Raises:
        InputError: If PyTorch cannot.
    """
    # Two clips: a single one would be taken for a constant.
    example = torch.randn(2, 3, *clip_shape)
    batch = torch.export.Dim('batch')
    try:
        with torch.no_grad():
            return torch.export.export(
                scorer, (example,), dynamic_shapes=({0: batch},), strict=False
            )
    except Exception as error:  # whatever the model's own code does
        raise InputError(
            f'torch.export cannot follow {type(scorer.model.backbone).__name__} at '
            f'clips of {tuple(clip_shape)}: {first_line(error)}'
        ) from error


def to_onnx(program: torch.export.ExportedProgram, metadata: dict[str, str]) -> bytes:
    """Turn a program into the bytes of an ONNX file.

    Raises:
        InputError: If the packages are absent or an operator has no translation.
    """
    # The exporter says of every operator of torchvision that it is not installed.
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(f'{error}: pip install "ifdd-mmaction[export]"') from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            exported = torch.onnx.export(
                program,
                dynamo=True,
                input_names=['clips'],
                output_names=['scores'],
                verbose=False,
            )
        assert exported is not None
        model = exported.model_proto
        for key, value in metadata.items():
            model.metadata_props.add(key=key, value=value)
        return model.SerializeToString()
    except Exception as error:  # those of the exporter, and of files over 2 GB
        raise InputError(f'ONNX cannot express it: {first_line(error)}') from error


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0]}'


def compare(
    name: str,
    scorer: Scorer,
    run: Callable[[Tensor], Tensor],
    clip_shape: Sequence[int],
) -> None:
    """Print how far the scores of an export are from PyTorch's.

    Raises:
        InputError: If they are not the same.
    """
    for clips in BATCHES:
        inputs = torch.randn(clips, 3, *clip_shape)
        with torch.no_grad():
            wanted, found = scorer(inputs), run(inputs)
        difference = (wanted - found).abs().max().item()
        print(f'{name}, {clips} clips: scores differ by at most {difference:.1e}')
        if not difference <= TOLERANCE * max(wanted.abs().max().item(), 1.0):
            raise InputError(
                f'{name} does not compute what PyTorch does: {difference:.1e} off. '
                'Nothing is written.'
            )


def export(args: argparse.Namespace) -> None:
    if digit_version(torch.__version__) < digit_version('2.6'):
        raise InputError(f'torch {torch.__version__}: exporting takes 2.6 or newer')
    cfg = read_config(args.config, args.cfg_options)
    clip_shape = tuple(args.clip_shape or find_clip_shape(cfg))
    predictor = TorchPredictor(cfg, args.checkpoint, 'cpu')
    metadata = describe(cfg, predictor, clip_shape)
    rename_instance_norms(predictor.model)
    scorer = Scorer(predictor.model, is_2d(cfg.model)).eval()
    program = trace(scorer, clip_shape)
    for path in args.out:
        if path.suffix == '.onnx':
            data = to_onnx(program, metadata)
            compare(path.name, scorer, run_onnx(data), clip_shape)
        else:
            compare(path.name, scorer, program.module(), clip_shape)
            buffer = io.BytesIO()
            torch.export.save(program, buffer, extra_files=metadata)
            data = buffer.getvalue()
        write_atomic(path, data)
        print(f'{path}: {len(data) / 1e6:.1f} MB')


def run_onnx(data: bytes) -> Callable[[Tensor], Tensor]:
    """Return what runs an ONNX file in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=['CPUExecutionProvider'])
    return lambda clips: torch.from_numpy(
        session.run(None, {'clips': clips.numpy()})[0]
    )


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        export(args)
    except (InputError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
