"""The data root of all datasets of a config."""

import pytest
from mmaction.registry import DATASETS

from ifdd_mmaction.apis import get_config
from ifdd_mmaction.datasets import DatasetError, set_data_root
from tests.helpers.tiny_models import draw_set


@pytest.mark.slow
def test_several_sets_are_joined_for_training_however_they_are_stored(tmp_path):
    data, more = draw_set(tmp_path / 'data'), draw_set(tmp_path / 'more')
    release = next((more / 'Clip').iterdir())
    release.rename(release.with_name('clip_80x80_16f'))
    config = get_config('ifdd_vit_sample')
    alone = dict(config.train_dataloader.dataset, data_root=str(data))
    set_data_root(config, [data, more])
    joined = DATASETS.build(config.train_dataloader.dataset)
    assert [part.root for part in joined.datasets] == [data, more]
    assert len(joined) == 2 * len(DATASETS.build(alone))
    assert config.val_dataloader.dataset.data_root == str(data)


def test_sets_that_are_joined_already_are_not_replaced():
    config = get_config('ifdd_vit_sample')
    set_data_root(config, ['one', 'two'])
    with pytest.raises(DatasetError, match='train_dataloader has datasets of one, two'):
        set_data_root(config, 'three')


def test_no_root_is_refused():
    with pytest.raises(DatasetError, match=r'data_root=\[\]: name at least one folder'):
        set_data_root(get_config('ifdd_vit_sample'), [])
