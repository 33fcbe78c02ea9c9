"""Refuse a config whose transforms need a decoder that does not work here."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import Config

from ..datasets.folds import innermost
from ..decoding.attempts import try_decoder
from ..errors import InputError

#: Transforms of MMAction2 that read videos with decord.
OF_DECORD = ('DecordInit', 'DecordDecode')


def check_decoders(cfg: Config, loaders: Sequence[str]) -> None:
    """Refuse MMAction2's transforms of decord where it does not work, before a run.

    They would end the run in a worker that reads the first clip.

    Args:
        cfg: Config of a run.
        loaders: Names of the data loaders to check; absent ones are left out.

    Raises:
        InputError: If a pipeline has such a transform, and decord is not installed,
            does not load, or decodes wrongly.

    Example:
        >>> from ifdd_mmaction.apis import get_config
        >>> from ifdd_mmaction.engine import check_decoders
        >>> check_decoders(get_config('ifdd_vit_sample'), ['test_dataloader'])
    """
    for loader in loaders:
        for dataset in innermost((cfg.get(loader) or {}).get('dataset') or {}):
            for step in dataset.get('pipeline') or ():
                name = str(step.get('type', '')).rpartition('.')[2]
                if name not in OF_DECORD:
                    continue
                if (attempt := try_decoder('decord')).reason:
                    raise InputError(
                        f'{loader}: {name} of MMAction2 needs decord, which is not '
                        f'usable: {attempt.reason}. Put SampleClip and LoadFrames in '
                        'place of DecordInit, SampleFrames and DecordDecode; '
                        f'or {attempt.remedy("decord")}'
                    )
