"""Train on frames, then on clips: what ``tools/static_first.py`` calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.runner import Runner

from ..datasets.folds import innermost
from ..engine import latest_checkpoint, load_config
from ..models.necks import EvidenceSplit
from .training import train
from .zoo import get_config, zoo_root

#: The config of the first stage, by whether the intensity of each frame is known.
FRAMES = {
    False: 'configs/_base_/static_first/frames.py',
    True: 'configs/_base_/static_first/frames_of_known_intensity.py',
}


def train_static_first(
    config: str,
    *,
    work_dir: str | Path | None = None,
    data_root: str | Path | Sequence[str | Path] | None = None,
    frames_root: str | Path | Sequence[str | Path] | None = None,
    known_intensity: bool = False,
    frame_options: Mapping[str, Any] | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Runner:
    """Train a recognizer on single frames, and then, from those weights, on clips.

    A stage that is finished is not run again, and an interrupted one is resumed, so
    that the same call continues where it stopped.

    Args:
        config: Name of a config in ``configs``, without ``.py``.
        work_dir: The stages are in ``frames`` and ``clips`` of it;
            ``work_dirs/<config>_static_first`` by default.
        data_root: Data root of all loaders, or several, as of :func:`train`.
        frames_root: Data root, or several, of the first stage, where it trains on the
            frames of other sets, such as a larger one; ``data_root`` by default.
        known_intensity: Whether the dataset has the intensity of each frame in
            ``envelope.npy``.
        frame_options: Values to set in the config of the frames, by dotted name.
        cfg_options: Values to set in the config of the clips, by dotted name.
        kwargs: ``fold``, ``seed`` and everything else of :func:`train`, of both stages.

    Returns:
        The runner of the clips.

    Raises:
        ZooError: If there is no such config.

    And all that :func:`train` raises.

    Example:
        With the clips of ``tools/data/make_sample_dfew.py`` in ``data/sample_dfew``:

        >>> from ifdd_mmaction.apis import train_static_first
        >>> options = {'train_cfg.max_epochs': 1, 'log_level': 'ERROR'}
        >>> runner = train_static_first(
        ...     'ifdd_cnn_sample', frame_options=options, cfg_options=options
        ... )
        Loads checkpoint by local backend from path: ...frames/epoch_1.pth
        >>> runner.work_dir
        '...work_dirs/ifdd_cnn_sample_static_first/clips'
    """
    work_dir = Path(work_dir or Path('work_dirs') / f'{config}_static_first')
    clips = get_config(config)
    frames = load_config(zoo_root() / FRAMES[known_intensity], base=config)
    frames.merge_from_dict(dict(frame_options or {}))
    clips.merge_from_dict(dict(cfg_options or {}))
    learned = train(
        frames,
        work_dir=work_dir / 'frames',
        data_root=data_root if frames_root is None else frames_root,
        resume=True,
        **kwargs,
    )
    weights = str(latest_checkpoint(learned.work_dir)[0])
    clips.load_from = weights
    set_classifier(clips, weights)
    return train(
        clips, work_dir=work_dir / 'clips', data_root=data_root, resume=True, **kwargs
    )


def set_classifier(cfg: Config, weights: str) -> None:
    """Give an :class:`EvidenceSplit` the head of a checkpoint of frames.

    What the config says of the split stays: ``init_cfg``, ``num_classes``, ``neutral``.
    The latter two are those of the classes of the training set otherwise.
    """
    split = (cfg.model.get('neck') or {}).get('split')
    if not split or MODELS.get(str(split.get('type'))) is not EvidenceSplit:
        return
    dataset = next(innermost(cfg.train_dataloader))
    classes = [
        name.casefold() for name in DATASETS.get(dataset['type']).METAINFO['classes']
    ]
    split.setdefault('num_classes', len(classes))
    split.setdefault('neutral', classes.index('neutral'))
    head = dict(type='Pretrained', checkpoint=weights, prefix='cls_head.fc_cls.')
    split.setdefault('init_cfg', head)
