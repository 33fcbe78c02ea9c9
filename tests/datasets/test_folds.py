import pytest
from mmengine.config import Config

from ifdd_mmaction.datasets import DatasetError, set_fold
from tests.helpers.golden import ROOT

DFEW = dict(type='DFEWDataset', data_root='x', fold=1)


def config(dataset):
    return Config(dict(fold=1, test_dataloader=dict(batch_size=2, dataset=dataset)))


@pytest.mark.parametrize('wrap', [
    lambda d: d,
    lambda d: dict(type='RepeatDataset', times=2, dataset=d),
    lambda d: dict(type='ConcatDataset', datasets=[d, dict(d, data_root='y')]),
    lambda d: dict(
        type='ClassBalancedDataset',
        oversample_thr=0.1,
        dataset=dict(type='ConcatDataset', datasets=[d, d]),
    ),
])  # fmt: skip
def test_the_fold_reaches_every_dataset(wrap):
    cfg = config(wrap(dict(DFEW)))
    set_fold(cfg, 4)
    expected = config(wrap(dict(DFEW, fold=4))).to_dict()
    assert cfg.to_dict() == dict(expected, fold=4)


def test_all_loaders_of_a_shipped_config():
    cfg = Config.fromfile(ROOT / 'configs' / 'ifdd_vit_dfew.py')
    set_fold(cfg, 3)
    loaders = (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)
    assert [loader.dataset.fold for loader in loaders] == [3, 3, 3] and cfg.fold == 3


@pytest.mark.parametrize('dataset, message', [
    (DFEW, 'fold 6: DFEWDataset has folds 1, 2, 3, 4, 5'),
    (dict(type='VideoDataset', ann_file='x'), 'VideoDataset has no folds'),
    (dict(type='RepeatDataset', dataset=dict(type='VideoDataset')), 'has no folds'),
])  # fmt: skip
def test_what_has_no_such_fold_is_refused(dataset, message):
    cfg = config(dataset)
    before = cfg.to_dict()
    with pytest.raises(DatasetError, match=message):
        set_fold(cfg, 6)
    assert cfg.to_dict() == before


def test_a_dataset_of_somebody_elses_with_a_fold_gets_it():
    cfg = config(dict(type='Theirs', fold='a'))
    set_fold(cfg, 6)
    assert cfg.test_dataloader.dataset.fold == 6


def test_a_config_without_a_dataset_is_refused():
    with pytest.raises(DatasetError, match='no dataset'):
        set_fold(Config(dict(train_dataloader=None)), 1)
