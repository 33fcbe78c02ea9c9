"""MMAction2's own tools, unchanged, on configs whose neck has ``clip_shape`` alone."""

from __future__ import annotations

import os
import re
from pathlib import Path

import mmaction
import pytest

from tests.helpers.backbone_matrix import CASES, is_3d
from tests.helpers.interpreters import run_python
from tests.helpers.layouts import make_dfew

TOOLS = Path(mmaction.__path__[0]) / '.mim' / 'tools'
FRAMES = 8
CONFIG = """
custom_imports = dict(imports=['ifdd_mmaction'], allow_failed_imports=False)
default_scope = 'mmaction'
model = dict(
    type={recognizer!r},
    backbone=dict({backbone!r}),
    neck=dict(type='IFDDNeck', clip_shape=({frames}, {size}, {size})),
    cls_head=dict(type='IFDDHead', num_classes=7),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[127] * 3, std=[64] * 3,
        format_shape={layout!r},
    ),
)
pipeline = [
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format={layout!r}),
    dict(type='PackActionInputs'),
]
dfew = dict(type='DFEWDataset', data_root={root!r}, fold=1)
loader = dict(batch_size=7, num_workers=0)
train_dataloader = dict(
    **loader,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        **dfew, split='train',
        pipeline=[dict(type='SampleClip', clip_len={frames}), *pipeline],
    ),
)
test_dataloader = dict(
    **loader,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dfew, split='test', test_mode=True,
        pipeline=[
            dict(type='SampleClip', clip_len={frames}, test_mode=True), *pipeline
        ],
    ),
)
test_evaluator = dict(type='DFERMetric')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
randomness = dict(seed=0)
"""


def run(tool: str, *args: object, cwd: Path) -> str:
    """Run a tool of MMAction2 where nothing is corrected; return what it printed."""
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '-1'}
    done = run_python(['-W', 'ignore', TOOLS / tool, *args], cwd, env)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-5000:]
    return said


@pytest.mark.slow
@pytest.mark.parametrize('name', ['ResNetTSM', 'ResNet3dSlowOnly', 'MViT'])
def test_a_config_of_clip_shape_alone_is_trained_tested_and_counted(name, tmp_path):
    case = CASES[name]
    root = make_dfew(tmp_path / 'dfew', 1, FRAMES, case.size)
    backbone = case.make(FRAMES)
    if name == 'ResNetTSM':
        backbone['pretrained2d'] = False  # nothing to download
    config = tmp_path / 'config.py'
    text = CONFIG.format(
        recognizer=case.recognizer, backbone=backbone, frames=FRAMES, size=case.size,
        layout='NCTHW' if is_3d(case) else 'NCHW', root=str(root),
    )  # fmt: skip
    assert 'in_channels' not in text and 'input_size' not in text
    config.write_text(text)

    said = run('train.py', config, '--work-dir', 'work', cwd=tmp_path)
    assert re.search(r'Epoch\(train\) .*\[1/1\].* loss_context: \d', said), said[-3000:]
    weights = tmp_path / 'work' / 'epoch_1.pth'
    said = run('test.py', config, weights, '--work-dir', 'work', cwd=tmp_path)
    assert re.search(r'dfer/UAR: \d', said), said[-3000:]

    clip = (3, FRAMES) if is_3d(case) else (FRAMES, 3)
    shape = (1, *clip) if is_3d(case) else clip
    said = run(
        'analysis_tools/get_flops.py', config, '--shape', *shape, case.size, case.size,
        cwd=tmp_path,
    )  # fmt: skip
    assert re.search(r'Flops: [\d.]+[MG]', said), said[-3000:]
    assert re.search(r'\bneck\b', said), said[-3000:]
