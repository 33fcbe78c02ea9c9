"""Running the converters in this process, and what their tests share."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import NamedTuple

import torch

from tests.helpers.golden import ROOT, load_tool

#: A config of the golden data's tiny model, on DFEW.
MINI = f"""
_base_ = [{str(ROOT / 'configs' / 'ifdd_vit_dfew.py')!r}]
model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=8, num_layers=10, num_heads=1, downscale_indices=[1, 3, 8]),
        spatial_size=64,
        temporal_size=8,
    ),
    neck=dict(in_channels=[32, 64], input_size=(4, 2, 2)),
    cls_head=dict(in_channels=64),
)
pipeline = [
    dict(type='SampleClip', clip_len=8, test_mode=True),
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_dataloader = dict(
    batch_size=4, num_workers=0, persistent_workers=False,
    dataset=dict(pipeline=pipeline))
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str


def convert(tool: str, capsys, *args: object) -> Result:
    """Run ``tools/convert/<tool>`` as its command line would."""
    code = load_tool(f'convert/{tool}').main([*map(str, args)])
    return Result(code, *capsys.readouterr())


def assert_refused(tool: str, capsys, *args: object, says: str) -> None:
    """Converting ends with 2 and one line that says why, and changes no file."""
    folder = Path(str(args[1])).parent
    before = {path: path.stat().st_mtime_ns for path in folder.rglob('*')}
    result = convert(tool, capsys, *args)
    assert (result.code, result.out) == (2, ''), result
    assert says in result.err and len(result.err.splitlines()) == 1, result.err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob('*')} == before


class Payload:
    """Makes a file when unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        # Its name in a pickle is the same in every Python; that of open is not.
        return shutil.copyfile, (__file__, str(self.marker))


def write_malicious(folder: Path, how: str) -> tuple[Path, Path]:
    """Write a checkpoint that makes a file when loaded carelessly.

    Args:
        how: ``zip``, torch's format, or ``pickle``, that of long ago.

    Returns:
        The checkpoint, and the file it would make.
    """
    path, marker = folder / 'malicious.pth', folder / 'marker'
    content = dict(model=Payload(marker))
    if how == 'zip':
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    # It does what it says where it is let.
    torch.load(path, weights_only=False) if how == 'zip' else pickle.loads(
        path.read_bytes()
    )
    assert marker.exists()
    marker.unlink()
    return path, marker
