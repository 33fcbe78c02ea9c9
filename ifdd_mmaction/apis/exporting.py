"""Export a trained recognizer: what ``tools/export.py`` calls."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import digit_version
from torch import Tensor, nn

from ..errors import InputError
from ..fileio import write_atomic
from ..models.infer_neck import is_2d
from ..models.layers.depthwise import using
from ..version import __version__
from .face_clips import ClipPipeline
from .models import read_config
from .predictor import TorchPredictor
from .zoo import get_checkpoint

#: Suffixes of the files that are written.
FORMATS = ('.onnx', '.pt2')
#: Numbers of clips that are compared, and the largest difference of a score, relative
#: to the largest score.
BATCHES, TOLERANCE = (1, 2, 5), 1e-4


class _Scorer(nn.Module):
    """From normalized clips ``(N, 3, T, H, W)`` to scores ``(N, K)``."""

    def __init__(self, model: Any, frames_first: bool) -> None:
        super().__init__()
        self.model = model
        self.frames_first = frames_first

    def forward(self, clips: Tensor) -> Tensor:
        """Return the scores of clips."""
        if self.frames_first:  # (N, T, 3, H, W), as a Recognizer2D takes them
            views = clips.transpose(1, 2).contiguous()
        else:
            views = clips[:, None]
        return self.model.extract_feat(views, stage='head')[0]


def export(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    out: str | Path | Sequence[str | Path] = 'model.onnx',
    *,
    clip_shape: Sequence[int] | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    calibrated: bool = False,
) -> list[Path]:
    """Export a trained recognizer to ONNX and to ``torch.export``.

    A file takes any number of normalized clips of one size, ``(N, 3, T, H, W)``
    float32, and gives the scores ``(N, K)`` of the classes before softmax. Its metadata
    holds the names of the classes, mean and std, and the size of a clip.

    Args:
        config: A config file, the name of a config in the zoo, or a config.
        checkpoint: Its weights; those of the zoo by default.
        out: Files to write, ``.onnx`` or ``.pt2``.
        clip_shape: (T, H, W) of a clip; that of the test pipeline by default.
        cfg_options: Values to set in the config, by dotted name.
        calibrated: Whether the scores are divided by the checkpoint's temperature,
            which is then in the metadata.

    Returns:
        The files.

    Raises:
        InputError: If it cannot be exported, or does not agree with PyTorch; what was
            not written before is not.
        OSError: If a file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:  # doctest: +ELLIPSIS
        ...     (path,) = export('ifdd_vit_sample', out=f'{folder}/vit.pt2')
        ...     program = torch.export.load(path).module()
        vit.pt2, 1 clips: scores differ by at most ...
        >>> program(torch.zeros(3, 3, 16, 64, 64)).shape
        torch.Size([3, 7])
    """
    paths = [Path(p) for p in ([out] if isinstance(out, (str, Path)) else out)]
    for path in paths:
        if path.suffix not in FORMATS:
            raise InputError(f'{path}: give a .onnx or .pt2 file')
    # Older ones take the batch for a constant, or cannot write it.
    if digit_version(torch.__version__) < digit_version('2.8'):
        raise InputError(f'torch {torch.__version__}: exporting takes 2.8 or newer')
    if checkpoint is None:
        checkpoint = get_checkpoint(str(config))
    cfg = read_config(config, cfg_options)
    clip_shape = tuple(clip_shape or _find_clip_shape(cfg))
    predictor = TorchPredictor(cfg, checkpoint, 'cpu', calibrated=calibrated)
    metadata = _describe(cfg, predictor, clip_shape)
    _rename_instance_norms(predictor.model)
    scorer = _Scorer(predictor.model, is_2d(cfg.model)).eval()
    program = _trace(scorer, clip_shape)
    for path in paths:
        if path.suffix == '.onnx':
            data = _to_onnx(program, metadata)
            _compare(path.name, scorer, _run_onnx(data), clip_shape)
        else:
            _compare(path.name, scorer, program.module(), clip_shape)
            buffer = io.BytesIO()
            torch.export.save(program, buffer, extra_files=metadata)
            data = buffer.getvalue()
        write_atomic(path, data)
        print(f'{path}: {len(data) / 1e6:.1f} MB')
    return paths


def _find_clip_shape(cfg: Config) -> tuple[int, ...]:
    """Return (T, H, W) of the clips that the config's test pipeline makes."""
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    pipeline = ClipPipeline(cfg)
    # A frame larger than what any pipeline makes of it.
    frames = [np.zeros((512, 512, 3), np.uint8)] * pipeline.clip_len
    inputs = pipeline(frames)  # (M, 3, T, H, W), or (M * T, 3, H, W)
    return pipeline.clip_len, *inputs.shape[-2:]


def _describe(
    cfg: Config, predictor: TorchPredictor, clip_shape: Sequence[int]
) -> dict[str, str]:
    """Return what a user of the file must know, each value as JSON."""
    preprocessor = predictor.model.data_preprocessor
    if to_rgb := getattr(preprocessor, 'to_rgb', False):
        raise InputError(
            f'data_preprocessor.to_rgb={to_rgb}: frames are RGB already; unset it'
        )
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
    if predictor.temperature is not None:
        values['temperature'] = predictor.temperature
    return {key: json.dumps(value) for key, value in values.items()}


def _rename_instance_norms(model: nn.Module) -> None:
    """Give the norms that MMCV calls ``in`` another name, in place.

    PyTorch writes the exported program down as Python, where ``in`` is a keyword.
    """
    for module in model.modules():
        if getattr(module, 'norm_name', None) == 'in':
            norm = getattr(module, 'in')
            delattr(module, 'in')
            module.add_module('instance_norm', norm)
            setattr(module, 'norm_name', 'instance_norm')  # noqa: B010


def _trace(scorer: _Scorer, clip_shape: Sequence[int]) -> torch.export.ExportedProgram:
    """Export to a program for any number of clips.

    Raises:
        InputError: If PyTorch cannot.
    """
    # Two clips: a single one would be taken for a constant.
    example = torch.randn(2, 3, *clip_shape)
    batch = torch.export.Dim('batch')
    try:
        # A file holds PyTorch's operators alone: it is used without this package.
        with torch.no_grad(), using('torch'):
            return torch.export.export(
                scorer, (example,), dynamic_shapes=({0: batch},), strict=False
            )
    except Exception as error:  # whatever the model's own code does
        raise InputError(
            f'torch.export cannot follow {type(scorer.model.backbone).__name__} at '
            f'clips of {tuple(clip_shape)}: {_first_line(error)}'
        ) from error


def _to_onnx(program: torch.export.ExportedProgram, metadata: dict[str, str]) -> bytes:
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
        model = exported.model_proto  # type: ignore[union-attr]
        for key, value in metadata.items():
            model.metadata_props.add(key=key, value=value)
        return model.SerializeToString()
    except Exception as error:  # those of the exporter, and of files over 2 GB
        raise InputError(f'ONNX cannot express it: {_first_line(error)}') from error


def _first_line(error: BaseException) -> str:
    """Return the kind of an error's first cause and the first line of what it says."""
    while error.__cause__:
        error = error.__cause__
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0]}'


def _compare(
    name: str,
    scorer: _Scorer,
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


def _run_onnx(data: bytes) -> Callable[[Tensor], Tensor]:
    """Return what runs an ONNX file in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=['CPUExecutionProvider'])
    return lambda clips: torch.from_numpy(
        session.run(None, {'clips': clips.numpy()})[0]
    )
