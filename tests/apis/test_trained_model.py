"""A trained model and the clips of its config, by plain arguments."""

import argparse

import pytest
from mmengine.config import Config

from ifdd_mmaction.apis import TrainedModel, add_model_arguments
from ifdd_mmaction.errors import InputError
from tests.helpers.layouts import make_dfew
from tests.helpers.tiny_models import CONFIGS, save_checkpoint


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('dfew')
    return make_dfew(root, 1, 8, release='clip_64x64_16f', folds=2)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp('run') / 'a.pth', CONFIGS['vit'])


def test_arguments_choose_the_clips(data, checkpoint):
    trained = TrainedModel(
        CONFIGS['vit'], checkpoint, 'cpu', split='train', fold=2, data_root=data,
        cfg_options={'test_dataloader.batch_size': 3},
    )  # fmt: skip
    assert trained.loader.batch_size == 3
    dataset = trained.dataset()
    assert dataset.metainfo['fold'] == 2 and len(dataset) == 7
    clip = trained.load(dataset, 0)
    assert clip.name == '1' and clip.inputs.shape[-3:] == (8, 32, 32)
    assert trained.checkpoint == checkpoint and not trained.model.training


def test_a_command_line_gives_the_same(data, checkpoint):
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    options = ['--split', 'train', '--fold', '2', '--device', 'cpu', '--cfg-options']
    args = parser.parse_args(
        [
            str(CONFIGS['vit']), str(checkpoint), '--data-root', str(data), *options,
            'test_dataloader.batch_size=3',
        ]
    )  # fmt: skip
    trained = TrainedModel.from_args(args)
    given = TrainedModel(
        CONFIGS['vit'], checkpoint, 'cpu', split='train', fold=2, data_root=data,
        cfg_options={'test_dataloader.batch_size': 3},
    )  # fmt: skip
    assert trained.loader == given.loader and trained.classes == given.classes


def test_a_config_without_clips_is_refused(checkpoint):
    cfg = Config.fromfile(CONFIGS['vit'])
    cfg.test_dataloader = dict()
    with pytest.raises(InputError, match=r'tiny_dfew\.py has no test_dataloader with'):
        TrainedModel(cfg, checkpoint, 'cpu')
