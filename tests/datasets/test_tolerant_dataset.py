import pytest
from mmaction.registry import DATASETS

from ifdd_mmaction.datasets import DatasetError
from tests.datasets.layouts import make_dfew

LOAD = [
    dict(type='SampleClip', clip_len=4),
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


def build(root, **options):
    kind = dict(type='DFEWDataset', data_root=str(root), pipeline=LOAD)
    return DATASETS.build(dict(kind, **options))


def cut_off(root, *clips):
    for clip in clips:
        for frame in (root / f'Clip/clip_224x224_16f/{clip:05d}').iterdir():
            frame.write_bytes(frame.read_bytes()[:-40])


def test_a_bad_training_clip_is_replaced_whole(tmp_path):
    cut_off(make_dfew(tmp_path, 1, frames=4), 3)
    dataset = build(tmp_path)
    for _ in range(20):
        sample = dataset[2]['data_samples']
        assert sample.video_id != '3'
        assert sample.gt_label.item() == int(sample.video_id) - 1
        ((name, error), *_) = sample.bad_clips
        assert name == '3' and 'truncated JPEG' in error
    assert 'bad_clips' not in dataset[1]['data_samples']


def test_a_bad_test_clip_keeps_its_name_and_label(tmp_path):
    cut_off(make_dfew(tmp_path, 1, frames=4), 10, 11)
    dataset = build(tmp_path, split='test', bad_clips='count_wrong')
    sample = dataset[2]['data_samples']
    assert sample.video_id == '10' and sample.gt_label.item() == 2
    assert [name for name, _ in sample.bad_clips] == ['10']
    with pytest.raises(DatasetError, match='00010'):
        build(tmp_path, split='test')[2]


@pytest.mark.parametrize('options, choices', [
    (dict(split='test', bad_clips='replace'), "'error', 'count_wrong'"),
    (dict(split='train', bad_clips='count_wrong'), "'error', 'replace'"),
    (dict(split='train', bad_clips='skip'), "'error', 'replace'"),
])  # fmt: skip
def test_what_would_change_the_protocol_is_refused(tmp_path, options, choices):
    with pytest.raises(DatasetError, match=choices):
        build(tmp_path, **options)


def test_a_set_that_cannot_be_read_at_all_ends_the_run(tmp_path):
    cut_off(make_dfew(tmp_path, 1, frames=4), *range(1, 8))
    with pytest.raises(DatasetError, match='10 clips in a row') as error:
        build(tmp_path)[0]
    assert 'and 5 more' in str(error.value)
    with pytest.raises(DatasetError, match='truncated JPEG'):
        build(tmp_path, bad_clips='error')[0]
