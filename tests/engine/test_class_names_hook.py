import json

import numpy as np
import pytest
import torch

from ifdd_mmaction.datasets import DatasetError
from tests.helpers.layouts import make_dfew, make_ferv39k, make_mafw
from tests.helpers.numeric import assert_close, depth_of
from tests.helpers.runners import log_of, tiny_runner

pytestmark = pytest.mark.slow

ELEVEN = {'model.cls_head.num_classes': 11}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('classes')


@pytest.fixture(scope='module')
def dfew(folder):
    root = make_dfew(folder / 'dfew', 1, frames=8)
    return dict(type='DFEWDataset', data_root=str(root))


@pytest.fixture(scope='module')
def ferv39k(folder):
    root = make_ferv39k(folder / 'ferv39k', frames=8)
    return dict(type='FERV39kDataset', data_root=str(root))


@pytest.fixture(scope='module')
def mafw(folder):
    root = make_mafw(folder / 'mafw', frames=8)
    return dict(type='MAFWDataset', data_root=str(root))


@pytest.fixture(scope='module')
def checkpoint(folder, dfew):
    """A checkpoint of one epoch on DFEW."""
    tiny_runner(folder / 'run', dfew).train()
    return folder / 'run' / 'epoch_1.pth'


def scores(work_dir) -> dict[str, float]:
    """Return the scores of the first clip by class, in lower case."""
    report = json.loads((work_dir / 'predictions.json').read_text())
    names = map(str.casefold, report['classes'])
    return dict(zip(names, report['clips'][0]['scores'], strict=True))


def test_a_checkpoint_tells_classes_and_release(checkpoint):
    meta = torch.load(checkpoint, weights_only=True)['meta']['dataset_meta']
    assert meta['classes'][3] == 'angry' and len(meta['classes']) == 7
    assert meta['dataset'] == 'DFEW' and meta['fold'] == 1
    assert meta['storage'] == 'frames'
    assert meta['release'] == 'Clip/clip_224x224_16f'


def test_classes_in_another_order_are_remapped_by_name(
    checkpoint, dfew, ferv39k, tmp_path
):
    for name, data in (('dfew', dfew), ('ferv39k', ferv39k)):
        work_dir = tmp_path / name
        runner = tiny_runner(work_dir, data, load_from=str(checkpoint))
        runner.test()
        remapped = 'classes remapped by name: happy, sad' in log_of(work_dir)
        assert remapped is (name == 'ferv39k')
    # The clips of both sets are the same pictures.
    expected = scores(tmp_path / 'dfew')
    assert len(set(expected.values())) == 7
    found = scores(tmp_path / 'ferv39k')
    sides = (np.array([side[name] for name in expected]) for side in (found, expected))
    assert_close(*sides, depth_of(runner.model), dtype=torch.float32)


def test_other_classes_are_refused(checkpoint, mafw, tmp_path):
    runner = tiny_runner(tmp_path, mafw, load_from=str(checkpoint), **ELEVEN)
    with pytest.raises(
        DatasetError, match=r'has the classes happy, sad.*has anger'
    ) as e:
        runner.test()
    assert "other_classes='drop'" in str(e.value)


def test_a_new_classifier_starts_on_a_checkpoint_of_other_classes(
    checkpoint, mafw, tmp_path
):
    hook = {'custom_hooks.0.other_classes': 'drop'}
    runner = tiny_runner(tmp_path, mafw, load_from=str(checkpoint), **ELEVEN, **hook)
    runner.train()
    assert 'the classification layer is not loaded' in log_of(tmp_path)
    given = torch.load(checkpoint, weights_only=True)['state_dict']
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert saved['state_dict']['cls_head.fc_cls.weight'].shape[0] == 11
    # One epoch at the start of the warm-up moves weights little: these were loaded.
    key = 'backbone.patch_embed.projection.weight'
    torch.testing.assert_close(saved['state_dict'][key], given[key], atol=0.02, rtol=0)
    assert saved['meta']['dataset_meta']['dataset'] == 'MAFW'


def test_resuming_in_another_order_is_refused(checkpoint, ferv39k, tmp_path):
    options = dict(load_from=str(checkpoint), resume=True)
    runner = tiny_runner(tmp_path, ferv39k, **options, **{'train_cfg.max_epochs': 2})
    with pytest.raises(DatasetError, match='Resume on the dataset'):
        runner.train()


def test_a_checkpoint_without_class_names_is_taken_as_it_is(checkpoint, dfew, tmp_path):
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    torch.save(dict(state_dict=state), tmp_path / 'bare.pth')
    runner = tiny_runner(tmp_path, dfew, load_from=str(tmp_path / 'bare.pth'))
    runner.test()
    assert 'has no class names: they are assumed to be, in order, happy, sad' in (
        log_of(tmp_path)
    )
