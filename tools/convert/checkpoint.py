"""What the converters share: reading, checking, reporting and writing checkpoints."""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

import ifdd_mmaction
from ifdd_mmaction import apis
from ifdd_mmaction.checkpoints import CheckpointError, read_checkpoint
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.models import infer_neck

ROOT = Path(__file__).resolve().parents[2]

# VideoMAE keeps its command line in its checkpoints: names with values, no code.
torch.serialization.add_safe_globals([argparse.Namespace])


class ConvertError(Exception):
    """Why a file is not converted, for its user to read."""


def run(convert: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> int:
    """Run a conversion of ``args.input`` to ``args.output``; return the exit code."""
    try:
        output = Path(args.output)
        if output.exists() and output.samefile(args.input):
            raise ConvertError(f'{output} is the input: give OUT another name')
        convert(args)
    except (ConvertError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


def read(path: str) -> Any:
    """Load a checkpoint or a .safetensors file, running nothing that it contains.

    Raises:
        ConvertError: If it is absent, damaged, or holds more than plain data.
    """
    if not Path(path).is_file():
        raise ConvertError(f'no file {path}')
    try:
        return read_checkpoint(path, map_location='cpu')
    except CheckpointError as error:
        raise ConvertError(str(error)) from error


def find_weights(
    checkpoint: Any, keys: Sequence[str], path: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the state dict under the first of ``keys``, else the checkpoint itself.

    Returns:
        The state dict, and the names of the checkpoint's other entries.

    Raises:
        ConvertError: If neither is a dict of tensors.
    """
    weights, others = checkpoint, []
    if isinstance(checkpoint, Mapping):
        for key in keys:
            if isinstance(checkpoint.get(key), Mapping):
                weights = checkpoint[key]
                others = [str(name) for name in checkpoint if name != key]
                break
    if not isinstance(weights, Mapping) or not weights:
        what = 'nothing' if isinstance(weights, Mapping) else type(weights).__name__
        raise ConvertError(f'{path} holds {what}, not a dict of tensors')
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ConvertError(
                f'{path} has no weights under {" or ".join(map(repr, keys))}, and is '
                f'no state dict itself: its entry {name!r} a '
                f'{type(value).__name__}'
            )
    return dict(weights), others


def build_model(config: str) -> tuple[Config, nn.Module]:
    """Return a config and the model it describes, at random weights.

    Raises:
        ConvertError: If the config cannot be read or its model not be built.
    """
    try:
        model = apis.build_model(config, device='cpu')
        infer_neck(model.cfg.model)  # whose numbers the converters read
        return model.cfg, model
    except InputError as error:
        raise ConvertError(f'--config {config}: no model of it: {error}') from error


def check_fits(
    weights: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    names: Mapping[str, str],
    path: str,
    model: str,
    hints: Mapping[str, str],
) -> None:
    """Raise at the first weight that a model has not, has otherwise, or wants more.

    Args:
        weights: What was converted, by the model's names.
        expected: The model's state dict.
        names: From the model's names to those in the file.
        path: The file.
        model: What to call the model.
        hints: What to change, by prefix of the model's names; the first one counts.

    Raises:
        ConvertError: Naming that weight, both shapes and what to change.
    """

    def refuse(message: str, key: str) -> ConvertError:
        hint = next(text for prefix, text in hints.items() if key.startswith(prefix))
        return ConvertError(f'{path} does not fit: {message}. {hint}')

    for key, value in weights.items():
        shape = tuple(value.shape)
        if key not in expected:
            raise refuse(
                f'{names[key]} {shape} would be {key}, which {model} does not have', key
            )
        wanted = tuple(expected[key].shape)
        if shape != wanted:
            raise refuse(
                f'{names[key]} is {shape}, but {key} is {wanted} in {model}', key
            )
    for key, value in expected.items():
        if key not in weights:
            raise refuse(
                f'nothing in it is {key}, which is {tuple(value.shape)} in {model}', key
            )


def print_table(sections: Mapping[str, Sequence[str] | Mapping[str, str]]) -> None:
    """Print names under headings with their count, related ones in one row.

    A section that is a mapping is printed as ``from -> to``, by module and block; a
    sequence by module, over all blocks that have it.
    """
    for title, names in sections.items():
        rows: dict[str, int] = {}
        if isinstance(names, Mapping):
            pairs = [(_module(name), _module(to)) for name, to in names.items()]
            width = max((len(name) for name, _ in pairs), default=0)
            labels = [f'{name:{width}} -> {to}' for name, to in pairs]
        else:
            labels = _over_blocks(names)
        for label in labels:
            rows[label] = rows.get(label, 0) + 1
        print(f'{title}: {len(names)}')
        for label, count in rows.items():
            print(f'  {count:4d}  {label}')


_BLOCK = re.compile(r'(.*?\bblocks)\.(\d+)\.(\w+)')


def _module(name: str) -> str:
    block = _BLOCK.match(name)
    return f'{block[1]}.{block[2]}' if block else re.sub(r'\.(weight|bias)$', '', name)


def _over_blocks(names: Sequence[str]) -> list[str]:
    found = [_BLOCK.match(name) for name in names]
    numbers: dict[tuple[str, str], set[int]] = {}
    for block in filter(None, found):
        numbers.setdefault((block[1], block[3]), set()).add(int(block[2]))
    labels = []
    for name, block in zip(names, found, strict=True):
        if block:
            listed = ','.join(map(str, sorted(numbers[block[1], block[3]])))
            labels.append(f'{block[1]}.{listed}.{block[3]}')
        else:
            labels.append(_module(name))
    return labels


def origin(path: str) -> dict[str, str]:
    """Return the entries of ``meta`` about the origin of a checkpoint."""
    return dict(
        converted_from=Path(path).name,
        converted_by=f'ifdd_mmaction {ifdd_mmaction.__version__}',
    )


def write(path: str, checkpoint: dict[str, Any]) -> None:
    """Save a checkpoint: whole, or not at all."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_atomic(path, buffer.getvalue())
    print(f'wrote {path}')
