"""How much trained models rely on the order of frames, and on each single one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..analysis import (
    VariantPlan,
    clip_groups,
    clip_name,
    compare_scores,
    run_variants,
    temporal_reliance,
)
from ..errors import InputError
from .numbered_classes import clip_classes, load_numbered
from .trained_model import TrainedModel


class GivenModel(NamedTuple):
    """A model by its files.

    Attributes:
        name: In tables, and of the folder of its scores.
        config: Config file, or name of a model of the zoo.
        checkpoint: File of the weights.
    """

    name: str
    config: str
    checkpoint: str


def measure_reliance(
    models: Sequence[GivenModel],
    folder: str | os.PathLike,
    plan: VariantPlan | None = None,
    *,
    groups_file: str | os.PathLike | None = None,
    batch_size: int = 16,
    part_size: int = 32,
    cfg_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Test models on the same variants of the same clips.

    Args:
        models: Of any recognizer; the first decides clips, classes and groups, and the
            others are compared with it.
        folder: Of the scores of each clip, a folder for each model; what is there is
            not computed again.
        plan: The variants.
        groups_file: CSV of clip and group; see :func:`clip_groups`.
        batch_size: Variants of a clip that are tested at once.
        part_size: Clips of a file of scores.
        cfg_options: Values to change in each config.
        options: Device, split, fold and data root; see :class:`TrainedModel`.

    Returns:
        What :func:`temporal_reliance` reports of each model, by its name in ``models``;
        number of ``clips``, ``classes``, ``absent_classes`` without clips, ``groups``.

    Raises:
        InputError: If a model and its data do not fit, or two models have other clips.

    Example:
        >>> from ifdd_mmaction.analysis import VariantPlan
        >>> from ifdd_mmaction.apis import GivenModel, get_checkpoint, measure_reliance
        >>> name = 'ifdd_vit_sample'
        >>> model = GivenModel('ViT', name, get_checkpoint(name))
        >>> plan = VariantPlan(kinds=(), counts=())
        >>> report = measure_reliance([model], 'scores', plan)
        >>> report['clips'], list(report['models']['ViT']['orders'])[:3]
        (21, ['in order', 'shuffled', 'reversed'])
    """
    plan, first = plan or VariantPlan(), models[0].name
    report: dict[str, Any] = {}
    correct: dict[str, dict[str, list[int]]] = {}
    for given in models:
        trained = load_numbered(given.config, given.checkpoint, cfg_options, **options)
        dataset = trained.dataset()
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        clips = [clip_name(info, i) for i, info in enumerate(infos)]
        labels = clip_classes(trained, dataset, clips)
        words = [trained.classes[label].casefold() for label in labels]
        if not report:
            root = trained.loader.dataset.get('data_root')
            key = getattr(dataset, 'group_key', str)
            groups, source = clip_groups(clips, infos, root, groups_file, key)
            plan = plan.for_groups(groups)
            listed = list(zip(clips, words, strict=True))
            report = dict(
                _facts(trained, words),
                clips=len(clips),
                groups=dict(source=source, number=len(set(groups))),
                plan=plan._asdict(),
                models={},
            )
        elif listed != list(zip(clips, words, strict=True)):
            raise InputError(
                f'{given.name} has other clips or labels than {first}: give configs '
                'of the same test split, or --split, --fold and --data-root'
            )
        found = run_variants(
            trained.model,
            dataset,
            Path(folder) / given.name,
            plan,
            groups,
            settings=_hashes(trained),
            batch_size=batch_size,
            num_workers=trained.loader.get('num_workers', 0),
            part_size=part_size,
            title=f'Clips of {given.name}',
        )
        scores = temporal_reliance(found, plan, labels, groups, trained.classes)
        correct[given.name] = scores.pop('correct')
        if given.name != first:
            one, other = correct[given.name], correct[first]
            scores[f'minus {first}'] = compare_scores(
                one, other, labels, groups, trained.classes
            )
        report['models'][given.name] = dict(
            config=Path(given.config).name,
            checkpoint=Path(given.checkpoint).name,
            epoch=trained.model.checkpoint_meta.get('epoch'),
            recognizer=type(trained.model).__name__,
            still_clips=[c for c, s in zip(clips, found.still, strict=True) if s],
            unread_clips={c: e for c, e in zip(clips, found.errors, strict=True) if e},
            **scores,
        )
    return report


def _facts(trained: TrainedModel, words: Sequence[str]) -> dict[str, Any]:
    """Return what the report says of the data."""
    dataset = trained.loader.dataset
    return dict(
        data_root=Path(str(dataset.get('data_root') or '')).name,
        split=dataset.get('split'),
        fold=dataset.get('fold'),
        classes=list(trained.classes),
        absent_classes=[n for n in trained.classes if n.casefold() not in words],
    )


def _hashes(trained: TrainedModel) -> dict[str, str]:
    """Return what the scores of a model depend on."""
    data = repr(trained.loader.dataset.to_dict()).encode()
    return dict(
        checkpoint=hashlib.sha256(trained.checkpoint.read_bytes()).hexdigest(),
        data=hashlib.sha256(data).hexdigest(),
    )
