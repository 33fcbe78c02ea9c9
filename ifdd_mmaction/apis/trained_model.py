"""A trained model and labelled clips to look at it with."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset, pseudo_collate

from ..analysis import clip_positions
from ..checkpoints import CheckpointError
from ..cli import add_cfg_options
from ..engine import check_decoders
from ..errors import InputError
from ..models.necks import IFDDNeck, TemporalSplit
from .models import build_model, class_names


class LoadedClip(NamedTuple):
    """A clip as the model gets it.

    Attributes:
        name: Of the clip.
        label: Index among the model's classes.
        frames: What the test pipeline made, ``(F, H, W, 3)`` uint8 RGB, first view.
        inputs: Preprocessed, ``(1, views, 3, F, H, W)``; one view of it for a
            ``Recognizer2D``, ``(1, F, 3, H, W)``.
    """

    name: str
    label: int
    frames: torch.Tensor
    inputs: torch.Tensor


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that :meth:`TrainedModel.from_args` takes.

    Example:
        >>> from argparse import ArgumentParser
        >>> from ifdd_mmaction.apis import add_model_arguments
        >>> parser = ArgumentParser()
        >>> add_model_arguments(parser)
        >>> parser.parse_args(['config.py', 'best.pth', '--fold', '2']).fold
        2
    """
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--data-root', help='folder of the data (that of the config)')
    parser.add_argument('--split', help='train or test (that of the config)')
    parser.add_argument('--fold', type=int, help='fold (that of the config)')
    parser.add_argument('--device', default='', help='of PyTorch (the best one)')
    add_cfg_options(parser)


class TrainedModel:
    """A model with its weights, and the test loader of its config.

    Args:
        config: Config file, name of a model of the zoo, or a config.
        checkpoint: File of the weights.
        device: PyTorch's name of a device; the best one by default.
        split: ``'train'`` or ``'test'``; that of the config's test loader by default.
        fold: Number of the fold; likewise.
        data_root: Folder of the data; likewise.
        cfg_options: Values to change in the config, by keys such as
            ``'test_dataloader.batch_size'``.

    Attributes:
        model: In ``eval()`` mode, on its device.
        classes: Names, in the order of the model's scores.
        loader: Config of the data loader, without randomness.
        checkpoint: File of the weights.

    Raises:
        InputError: If config and checkpoint do not fit, or there is no test loader.

    Example:
        >>> from ifdd_mmaction.apis import TrainedModel, get_checkpoint
        >>> weights = get_checkpoint('ifdd_vit_sample')
        >>> trained = TrainedModel('ifdd_vit_sample', weights, split='test', fold=1)
        >>> len(trained.dataset()), trained.class_index('Angry')
        (21, 3)
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str = '',
        *,
        split: str | None = None,
        fold: int | None = None,
        data_root: str | Path | None = None,
        cfg_options: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            self.model = build_model(
                config, checkpoint, device=device, cfg_options=cfg_options
            )
        except CheckpointError as error:
            raise InputError(str(error)) from error
        self.classes = class_names(self.model)
        self.loader = _loader(self.model.cfg, split, fold, data_root)
        self.checkpoint = Path(checkpoint)

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> TrainedModel:
        """Return the model of a command line; see :func:`add_model_arguments`."""
        return cls(
            args.config,
            args.checkpoint,
            args.device,
            split=args.split,
            fold=args.fold,
            data_root=args.data_root,
            cfg_options=args.cfg_options,
        )

    def dataset(self) -> BaseDataset:
        """Build the dataset of the loader.

        Raises:
            InputError: If its classes are not those of the model, or its pipeline
                needs a decoder that does not work.
        """
        check_decoders(Config(dict(loader=self.loader)), ['loader'])
        dataset = DATASETS.build(self.loader.dataset)
        self.label_order(dataset)
        return dataset

    def label_order(self, dataset: BaseDataset) -> list[int]:
        """Return, for each label of a dataset, the model's index of that class."""
        given = [str(name).casefold() for name in dataset.metainfo.get('classes', ())]
        own = [name.casefold() for name in self.classes]
        if sorted(given) != sorted(own):
            raise InputError(
                f'the checkpoint has the classes {", ".join(self.classes)}, the '
                f'dataset of {", ".join(map(str, dataset.metainfo.get("classes", ())))}'
            )
        return [own.index(name) for name in given]

    def class_index(self, name: str) -> int:
        """Return the index of a class by its name, in any case of letters.

        Raises:
            InputError: If the model has no such class.
        """
        own = [known.casefold() for known in self.classes]
        if name.casefold() not in own:
            raise InputError(f'no class {name}: {", ".join(self.classes)}')
        return own.index(name.casefold())

    def require_split(self) -> TemporalSplit:
        """Return the split of the model's neck.

        Raises:
            InputError: If it has no IFDD neck, or one that splits no clip.
        """
        neck = getattr(self.model, 'neck', None)
        if not isinstance(neck, IFDDNeck) or neck.split is None:
            raise InputError(
                f'the neck of the config is {type(neck).__name__} and splits no clip: '
                'give a config whose neck is an IFDDNeck with a split or a lifting'
            )
        return neck.split

    def clip_frames(self, positions: torch.Tensor, length: int) -> np.ndarray:
        """Map frames of the feature X to frames of the clip that they stand for.

        Args:
            positions: ``(N, n)`` real numbers from 0 to T - 1.
            length: Frames F of the clip: each of X stands for F / T of them.
        """
        frames = self.require_split().num_frames
        return clip_positions(positions.cpu(), frames, length)

    def load(self, dataset: BaseDataset, index: int) -> LoadedClip:
        """Load a clip of the dataset; its error names a file that cannot be read."""
        item = dataset[index]
        first = item['inputs']
        if first.dim() == 5:  # (views, 3, F, H, W)
            first = first[0].transpose(0, 1)
        data = self.model.data_preprocessor(pseudo_collate([item]), training=False)
        info = dataset.get_data_info(index)
        return LoadedClip(
            str(info['video_id']),
            self.label_order(dataset)[info['label']],
            first.permute(0, 2, 3, 1).contiguous(),
            data['inputs'],
        )

    def find(self, dataset: BaseDataset, names: Sequence[str]) -> list[int]:
        """Return the indexes of clips by their names.

        Raises:
            InputError: If the dataset has no such clip.
        """
        known = {
            str(dataset.get_data_info(i)['video_id']): i for i in range(len(dataset))
        }
        if missing := [name for name in names if name not in known]:
            raise InputError(
                f'no clip {", ".join(missing)} among the {len(known)} of the dataset; '
                f'the first is {next(iter(known), "-")}'
            )
        return [known[name] for name in names]

    def one_of_each_class(self, dataset: BaseDataset, tries: int = 10) -> Iterator[int]:
        """Yield the first clip of each class that the model gets right.

        Where it gets none of the first ``tries`` right, the first one. A class without
        clips is left out.
        """
        order = self.label_order(dataset)
        labels = [order[info['label']] for info in _infos(dataset)]
        for k in range(len(self.classes)):
            own = [i for i, label in enumerate(labels) if label == k]
            right = (i for i in own[:tries] if self._predict(dataset, i) == k)
            if own:
                yield next(right, own[0])

    @torch.no_grad()
    def _predict(self, dataset: BaseDataset, index: int) -> int:
        sample = self.model.test_step(pseudo_collate([dataset[index]]))[0]
        return int(sample.pred_score.flatten().argmax()) % len(self.classes)


def _infos(dataset: BaseDataset) -> Iterator[dict[str, Any]]:
    return (dataset.get_data_info(i) for i in range(len(dataset)))


def _loader(
    cfg: Config, split: str | None, fold: int | None, data_root: str | Path | None
) -> ConfigDict:
    loader = copy.deepcopy(cfg.get('test_dataloader'))
    if not loader or not loader.get('dataset'):
        raise InputError(f'{cfg.filename} has no test_dataloader with a dataset')
    given = dict(data_root=data_root and str(data_root), split=split, fold=fold)
    loader.dataset.update({k: v for k, v in given.items() if v is not None})
    loader.dataset.test_mode = True
    loader.sampler = dict(type='DefaultSampler', shuffle=False)
    loader.update(drop_last=False, persistent_workers=False)
    return loader
