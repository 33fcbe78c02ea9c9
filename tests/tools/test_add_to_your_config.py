"""docs/add_to_your_config.md, tried as a new user would: its configs train."""

import json
import re
from pathlib import Path

import mmaction
import pytest
from mmaction.registry import MODELS
from mmengine.config import Config

from tests.helpers.golden import ROOT
from tests.helpers.layouts import make_dfew
from tests.helpers.tools import data_options, run_tool

PAGE = (ROOT / 'docs' / 'add_to_your_config.md').read_text()
MMACTION2 = Path(mmaction.__path__[0]) / '.mim' / 'configs'

#: What makes the shipped models small, and nothing else.
TINY = dict(
    slowonly='depth=18, base_channels=8, pretrained=None, pretrained2d=False',
    swin=(
        'arch=dict(_delete_=True, embed_dims=8, depths=[1] * 4, num_heads=[1] * 4), '
        'pretrained=None, pretrained2d=False, window_size=(2, 2, 2)'
    ),
    tsm='depth=18, num_segments=8, pretrained=None, pretrained2d=False',
)


def block(name):
    (code,) = re.findall(rf'<!-- {name} -->\n```python\n(.*?)```', PAGE, re.DOTALL)
    return code


@pytest.mark.slow
@pytest.mark.parametrize('name', TINY)
def test_a_shipped_config_with_the_lines_of_the_page_trains(name, tmp_path):
    config = tmp_path / f'{name}.py'
    text = block(name).replace('mmaction2/configs', MMACTION2.as_posix())
    text = text.replace('(8, 224, 224)', '(8, 64, 64)')
    text = text.replace('backbone=dict(', f'backbone=dict({TINY[name]}, ')
    data = block('data').replace(
        'size, input_format = 8, 224', 'size, input_format = 8, 64'
    )
    if name == 'tsm':
        data = data.replace("'NCTHW'", "'NCHW'")
    config.write_text(text + data)
    root = make_dfew(tmp_path / 'dfew', clips_per_class=1, frames=8, size=64)
    work_dir = tmp_path / 'run'
    loaders = [
        f'{loader}_dataloader.{option}'
        for loader in ('train', 'val')
        for option in ('num_workers=0', 'persistent_workers=False', 'batch_size=4')
    ]
    run_tool(
        'train.py', config, '--work-dir', work_dir, '--cfg-options',
        'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
        'optim_wrapper.type=OptimWrapper', *loaders,
        *data_options(root, 'train', 'val'),
    )  # fmt: skip
    assert list(work_dir.glob('best_dfer_WAR*.pth'))
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert any('loss_context' in line for line in lines)
    assert any('dfer/WAR' in line for line in lines)
    # The work dir's config can be built by anything.
    assert MODELS.build(Config.fromfile(work_dir / config.name).model).neck.lifting
