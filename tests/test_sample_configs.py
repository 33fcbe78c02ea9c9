"""The small configs train on drawn faces, through the tools."""

import json

import pytest

from tests.helpers.golden import ROOT
from tests.helpers.tools import data_options, run_tool

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('drawn') / 'sample'
    run_tool('data/make_sample_dfew.py', folder, '--subjects', 10)
    return folder


@pytest.mark.parametrize('name', ['ifdd_vit_sample', 'ifdd_cnn_sample'])
def test_the_loss_falls_and_a_checkpoint_is_tested(name, data, tmp_path):
    work_dir = tmp_path / 'work'
    config = ROOT / 'configs' / f'{name}.py'
    run_tool(
        'train.py', config, '--work-dir', work_dir, '--seed', 0,
        '--cfg-options', *data_options(data, 'train', 'val'),
        'train_cfg.max_epochs=8', 'train_dataloader.batch_size=8',
        'default_hooks.logger.interval=1',
    )  # fmt: skip
    (scalars,) = work_dir.glob('*/vis_data/scalars.json')
    rows = map(json.loads, scalars.read_text().splitlines())
    losses = [row['loss_cls'] for row in rows if 'loss_cls' in row]
    # Guessing stays at log 7, give or take half a percent.
    assert sum(losses[-7:]) < 0.95 * sum(losses[:7])

    dump = tmp_path / 'predictions.json'
    run_tool(
        'test.py', config, work_dir / 'epoch_8.pth', '--work-dir', work_dir,
        '--dump', dump, '--cfg-options', *data_options(data, 'test'),
    )  # fmt: skip
    assert len(json.loads(dump.read_text())['clips']) == 14
