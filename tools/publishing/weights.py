"""The published weights and their metadata."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from ifdd_mmaction.apis.download import sha256_of
from ifdd_mmaction.checkpoints import read_checkpoint

from .error import PublishError

#: Modules, because a fork of MMEngine has another name of distribution.
MODULES = {
    'ifdd-mmaction': 'ifdd_mmaction', 'torch': 'torch', 'mmengine': 'mmengine',
    'mmaction2': 'mmaction', 'numpy': 'numpy',
}  # fmt: skip


def kept_meta(
    cfg: Config,
    meta: Mapping[str, Any],
    scores: Mapping[str, float],
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Return the metadata to publish: plain data, no path of this machine."""
    about = meta['dataset_meta']
    return dict(
        name=args.name,
        # The config as published: that of the training has the paths of its machine.
        cfg=cfg.pretty_text,
        epoch=meta['epoch'],
        iter=meta['iter'],
        seed=meta.get('seed'),
        dataset_meta=dict(
            classes=list(about['classes']),
            fold=about.get('fold'),
            release=about.get('release'),
            **{key: about[key] for key in ('decoder',) if key in about},
        ),
        data=args.data,
        metrics=dict(scores),
        changed=list(args.changed),
        **{key: meta[key] for key in ('calibration',) if key in meta},
        mmengine_version=meta.get('mmengine_version'),
        versions={
            name: str(import_module(module).__version__)
            for name, module in MODULES.items()
        },
    )


def to_pth(state: Mapping[str, Tensor], meta: Mapping[str, Any]) -> bytes:
    """Return the bytes of a checkpoint; the same input gives the same bytes."""
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=state), buffer)
    return buffer.getvalue()


def check_files(path: Path, sha256: str, state: Mapping[str, Tensor]) -> None:
    """Read both files again, as a user will."""
    if sha256_of(path) != sha256:
        raise PublishError(f'{path} was not written as it should: wrong SHA-256')
    for file in (path, path.with_suffix('.safetensors')):
        written = read_checkpoint(file)['state_dict']
        if written.keys() != state.keys() or not all(
            torch.equal(written[name], state[name]) for name in state
        ):
            raise PublishError(f'{file} holds other weights than {path.stem}')
