"""Find what is wrong in a config before a run starts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from ..checkpoints import CheckpointError
from ..errors import InputError
from ..models.infer_neck import dry_run

#: Set to see the traceback of what ends a tool before it has begun.
TRACEBACK = 'IFDD_TRACEBACK'


class BegunHook(Hook):
    """Record whether training or testing has begun."""

    begun = False

    def before_train(self, runner: Runner) -> None:
        """Note that training begins."""
        self.begun = True

    def before_test(self, runner: Runner) -> None:
        """Note that testing begins."""
        self.begun = True


@contextmanager
def config_errors(config: str, begun: BegunHook) -> Iterator[None]:
    """Raise any error before a run begins as an InputError that names the config.

    A value of a config is an argument of some constructor, which may raise any kind of
    error. Errors of this package's own kinds, those of files that cannot
    be written, and all that comes after the run has begun pass as they are.

    Args:
        config: What to call the config.
        begun: Registered at the runner.

    Raises:
        InputError: In place of any other error; with ``$IFDD_TRACEBACK`` set, none is.

    Example:
        >>> from ifdd_mmaction.engine import BegunHook, config_errors
        >>> with config_errors('my_config.py', BegunHook()):
        ...     raise KeyError('Recognizer4D is not in the registry')
        Traceback (most recent call last):
        ...
        ifdd_mmaction...InputError: my_config.py cannot be used: KeyError: Recogn...
    """
    try:
        yield
    except (CheckpointError, InputError):
        raise
    except Exception as error:
        own = type(error).__module__.startswith('ifdd_mmaction')
        writing = isinstance(error, OSError) and not isinstance(
            error, FileNotFoundError
        )
        if own or writing or begun.begun or os.environ.get(TRACEBACK):
            raise
        # Python says first where a config has a syntax error, and last what it is;
        # registries say first what is wrong.
        text = str(error.args[0] if isinstance(error, KeyError) else error)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        said = ' '.join(lines[:3]) or 'no reason given'
        raise InputError(
            f'{config} cannot be used: {type(error).__name__}: {said} (set '
            f'{TRACEBACK}=1 to see where)'
        ) from error


#: What opens and decodes a clip, ours and MMAction2's.
LOADING = re.compile(r'(Init|Decode|LoadFrames)$')
#: Frames, height and width of blank videos. A shape that differs between them is one
#: of the video, not of the config.
BLANKS = ((100, 300, 400), (250, 400, 300))


def clip_shape(cfg: Config, loader: str) -> tuple[int, int, int] | None:
    """Return the (T, H, W) of the clips that a data loader's pipeline makes.

    The pipeline runs on blank frames. Under ``Recognizer2D``, T counts the frames of
    all clips and crops of a video.

    Args:
        cfg: Config of a run.
        loader: Name of one of its data loaders.

    Returns:
        The shape, or None where there is no such loader, or the config alone does not
        tell: frames are not resized, or a transform needs more than frames.

    Example:
        >>> from ifdd_mmaction.apis import get_config
        >>> from ifdd_mmaction.engine import clip_shape
        >>> clip_shape(get_config('ifdd_vit_dfew'), 'train_dataloader')
        (16, 224, 224)
    """
    dataset = (cfg.get(loader) or {}).get('dataset') or {}
    while 'pipeline' not in dataset and isinstance(dataset.get('dataset'), dict):
        dataset = dataset['dataset']  # a wrapper, such as RepeatDataset
    pipeline = dataset.get('pipeline')
    if not pipeline:
        return None
    try:
        shapes = {_run(pipeline, *blank) for blank in BLANKS}
    except Exception:
        # Of any kind: a transform may ask for what only real clips have. They will
        # tell.
        return None
    return shapes.pop() if len(shapes) == 1 else None


def _run(
    pipeline: Sequence[dict], frames: int, height: int, width: int
) -> tuple[int, int, int]:
    results: dict = dict(
        total_frames=frames,
        start_index=0,
        label=0,
        video_id='blank',
        modality='RGB',
        original_shape=(height, width),
        img_shape=(height, width),
    )
    for step in pipeline:
        if LOADING.search(step['type']):
            if 'frame_inds' in results:
                blank = np.zeros((height, width, 3), np.uint8)
                count = np.size(results['frame_inds'])
                results['imgs'] = [blank.copy() for _ in range(count)]
            continue
        results = TRANSFORMS.build(step)(results)
    inputs = results['inputs']  # (M, 3, T, H, W), or (M, 3, H, W) of single frames
    if inputs.dim() == 4:
        return len(inputs), *inputs.shape[2:]
    return tuple(inputs.shape[2:])


def check_clip_shapes(cfg: Config, loaders: Sequence[str]) -> None:
    """Refuse before a run starts the clips that an IFDD neck would refuse in it.

    A neck is built for one size of clip; one that compresses no tokens takes any.

    Args:
        cfg: Config of a run; its neck is inferred already.
        loaders: Names of the data loaders to check.

    Raises:
        InputError: If a pipeline makes clips of a shape that the neck does not take.

    Example:
        >>> from ifdd_mmaction.apis import get_config
        >>> from ifdd_mmaction.engine import check_clip_shapes
        >>> from ifdd_mmaction.models import infer_neck
        >>> cfg = get_config('ifdd_vit_sample')
        >>> infer_neck(cfg.model)
        >>> check_clip_shapes(cfg, ['train_dataloader', 'test_dataloader'])
    """
    neck = cfg.model.get('neck')
    if not neck or neck.type != 'IFDDNeck':
        return
    trained = neck.get('clip_shape') or clip_shape(cfg, 'train_dataloader')
    fitting = {trained and tuple(trained)}
    for loader in loaders:
        shape = clip_shape(cfg, loader)
        if shape is None or shape in fitting:
            continue
        try:
            _pass_neck(neck, dry_run(cfg.model, shape))
        except ValueError as error:
            remedy = f' Resize and crop to {tuple(trained)}.' if trained else ''
            raise InputError(
                f'{loader}: the pipeline makes clips of (T, H, W) = {shape}, for which '
                f'the neck is not built.{remedy} {error}'
            ) from error
        fitting.add(shape)


def _pass_neck(neck: dict, pyramid: list[Tensor]) -> None:
    module = MODELS.build(neck).eval()
    # Fake tensors are shapes alone; unlike 'meta', they are on a device.
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        module([torch.empty(level.shape) for level in pyramid])
