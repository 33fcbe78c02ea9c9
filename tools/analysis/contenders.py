"""Models that ``benchmark.py`` and ``scaling.py`` measure beside each other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from get_flops import whole_flops
from measuring import Setup, peak_growth
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from torch import Tensor
from torch.utils.data import DataLoader

from ifdd_mmaction.engine import compile_regions
from ifdd_mmaction.models.layers.depthwise.choice import chosen, using

COMPILED, FLOAT32 = 'compiled', 'float32'
CONTENDERS = (
    'ours', COMPILED, 'checkpointed', 'torch-pooling', FLOAT32, 'stock', 'no-neck',
    'mvit-small',
)  # fmt: skip
#: What takes minutes to compile, and what only shows where time went.
ON_REQUEST = (COMPILED, 'torch-pooling', FLOAT32)
REFERENCE = 'stock'
#: Those of one and the same arithmetic.
SAME = ('ours', COMPILED, 'checkpointed', 'torch-pooling', FLOAT32, 'stock')
#: Backbones that can run MMAction2's attention too, and have blocks to checkpoint.
FUSED = ('PyramidMViT', 'FusedVisionTransformer')


class Contender:
    """A model of a config, its optimizer and a batch of random clips for it.

    Args:
        config: The config file.
        name: One of ``CONTENDERS``.
        batch_size: Clips in the batch.
        clip: (T, H, W) of a clip.
        setup: What it runs on.
    """

    def __init__(
        self,
        config: Path,
        name: str,
        batch_size: int,
        clip: Sequence[int],
        setup: Setup,
    ) -> None:
        torch.manual_seed(0)
        if name == FLOAT32:
            setup = replace(setup, dtype='float32')
        self.setup = setup
        cfg = Config.fromfile(config)
        self.preprocess = MODELS.build(
            cfg.model.get('data_preprocessor') or dict(type='ActionDataPreprocessor')
        ).to(setup.device)
        model = model_config(cfg.model, name, clip)
        self.classes, self.clip = model['cls_head']['num_classes'], tuple(clip)
        self.model = MODELS.build(model).to(setup.device)
        if name == 'checkpointed':
            turn_on_activation_checkpointing(self.model, 'backbone.blocks')
        if name == COMPILED:
            compile_regions(self.model)
        elif setup.compile:
            self.model.backbone.compile()
        self.pooling = 'torch' if name == 'torch-pooling' else chosen()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5)
        self.scaler = torch.amp.GradScaler(enabled=setup.dtype == 'float16')
        self.set_batch(batch_size)

    def set_batch(self, batch_size: int) -> None:
        """Make another batch of random clips, each with a class."""
        device = self.setup.device
        self.inputs = torch.rand(batch_size, 1, 3, *self.clip, device=device)
        self.samples = [
            ActionDataSample().set_gt_label(i % self.classes).to(device)
            for i in range(batch_size)
        ]

    @torch.no_grad()
    def forward(self) -> Tensor:
        """Run the model, from clips to class scores ``(N, classes)``."""
        self.model.eval()
        with self.setup.autocast(), using(self.pooling):
            features, _ = self.model.extract_feat(self.inputs, stage='neck')
            return self.model.cls_head(features)

    def step(self) -> None:
        """Train on the batch."""
        self.train_on(self.inputs, self.samples)

    def train_on(self, inputs: Tensor, samples: list[ActionDataSample]) -> None:
        """Train on a batch: loss, backward pass, AdamW."""
        self.model.train()
        with self.setup.autocast(), using(self.pooling):
            losses = self.model(inputs, samples, mode='loss')
            loss, _ = self.model.parse_losses(losses)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)

    def epoch(self, loader: DataLoader, steps: int) -> float:
        """Train from a loader; return the wall seconds of a step.

        What the loader's workers have read ahead is used up first.
        """
        ahead = loader.num_workers * (loader.prefetch_factor or 0)
        start = time.perf_counter()
        for done, data in enumerate(loader, start=1):
            batch = self.preprocess(data, training=True)
            if batch['inputs'].shape[2:] != self.inputs.shape[2:]:
                raise ValueError(
                    f'the loader gives clips of {tuple(batch["inputs"].shape[3:])}, '
                    f'and --clip is {tuple(self.inputs.shape[3:])}: make them equal'
                )
            self.train_on(batch['inputs'], batch['data_samples'])
            if done == ahead:
                self.setup.synchronize()
                start = time.perf_counter()
            if done == ahead + steps:
                break
        else:
            raise ValueError(
                f'the loader has {len(loader)} batches, and {ahead} + {steps} are '
                'needed: lower --end-to-end or the batch'
            )
        self.setup.synchronize()
        return (time.perf_counter() - start) / steps


def build_loader(config: Path, data_root: Path, batch_size: int) -> DataLoader:
    """Build a config's training loader on some data, for some batch size."""
    loader = Config.fromfile(config).train_dataloader
    loader.batch_size = batch_size
    loader.dataset.data_root = str(data_root)
    return Runner.build_dataloader(loader, seed=0)


def model_config(
    model: Config, name: str, clip: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the model of a contender, the neck as a clip's (T, H, W) asks for."""
    model = Config(dict(model=model.to_dict())).model
    # What happens to clips before the model is the loaders' and no part of this.
    model.data_preprocessor = None
    if clip is not None and model.get('neck') and model.neck.type == 'IFDDNeck':
        for inferred in ('in_channels', 'input_size', 'num_segments'):
            model.neck.pop(inferred, None)
        model.neck.clip_shape = list(clip)
    if name == 'stock':
        model.backbone.fused = False
    elif name == 'no-neck':
        model.neck.update(aggregation=None, split=None, lifting=None)
    elif name == 'mvit-small':
        head = dict(
            type='MViTHead', in_channels=768, num_classes=model.cls_head.num_classes
        )
        backbone = dict(type='MViT', arch='small', drop_path_rate=0.2)
        return dict(type='Recognizer3D', backbone=backbone, cls_head=head)
    return model


def applicable(config: Path, names: Sequence[str]) -> list[str]:
    """Return the contenders that a config can be."""
    fused = Config.fromfile(config).model.backbone.type in FUSED
    only_fused = ('checkpointed', 'torch-pooling', REFERENCE)
    return [name for name in names if fused or name not in only_fused]


def count_flops(config: Path, name: str, clip: Sequence[int]) -> int:
    """Count the floating-point operations of a forward pass of one clip."""
    return whole_flops(model_config(Config.fromfile(config).model, name, clip), clip)


def peak_memory(
    config: Path, name: str, batch_size: int, clip: Sequence[int], setup: Setup
) -> float:
    """Return the peak memory of a training step beyond the model itself, in MiB.

    It is measured in a process of its own.
    """
    context = get_context('forkserver')
    context.set_forkserver_preload(['ifdd_mmaction'])
    with context.Pool(1) as pool:
        return pool.apply(_peak_memory, (config, name, batch_size, clip, setup))


def _peak_memory(*args: Any) -> float:
    setup = args[-1]
    torch.set_num_threads(setup.threads)
    init_default_scope('mmaction')
    contender = Contender(*args)
    return peak_growth(contender.step, setup)
