import shutil

import pytest
from mmaction.registry import DATASETS

from ifdd_mmaction.datasets import DatasetError
from tests.helpers.layouts import FERV39K, make_ferv39k, write_frames, write_lines

TRAIN_LIST = '4_setups/All_scenes/train_All.csv'


def build(root, **options):
    return DATASETS.build(dict(type='FERV39kDataset', data_root=str(root), **options))


def error_of(root, **options) -> str:
    with pytest.raises(DatasetError) as error:
        build(root, **options)
    return str(error.value)


@pytest.mark.parametrize('lists', ['4_setups/All_scenes', 'All_scenes'])
@pytest.mark.parametrize(
    'ids', [None, FERV39K, ('Happy', *FERV39K[:3], *FERV39K[4:])], ids=str
)
def test_labels_are_right_in_every_layout_and_numbering(tmp_path, lists, ids):
    make_ferv39k(tmp_path, frames=3, lists=lists, ids=ids)
    for split in ('train', 'test'):
        dataset = build(tmp_path, split=split)
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        # Each clip's folder names its class.
        names = [info['video_id'].split('/')[1] for info in infos]
        assert names == [dataset.metainfo['classes'][i['label']] for i in infos]
        assert names == list(FERV39K)
    assert dataset.metainfo['classes'] == FERV39K
    assert dataset.metainfo['release'] == '2_ClipsforFaceCrop'
    assert len(dataset.metainfo['palette']) == 7


@pytest.mark.parametrize('fold', [None, 1])
def test_the_one_split_is_fold_1(tmp_path, fold):
    make_ferv39k(tmp_path, frames=1)
    assert build(tmp_path, fold=fold).metainfo['fold'] == 1
    assert 'fold=2' in error_of(tmp_path, fold=2)


def test_frames_are_in_order_and_extra_ones_are_read(tmp_path):
    make_ferv39k(tmp_path, frames=12)
    folder = tmp_path / '2_ClipsforFaceCrop/Action/Angry/0001'
    write_frames(folder, 1, start=100, name='{:04d}.jpg')
    frames = build(tmp_path).get_data_info(0)['source'].frames
    assert frames[8:] == ['0009.jpg', '0010.jpg', '0011.jpg', '0012.jpg', '0100.jpg']


def test_bad_lines_are_named(tmp_path):
    make_ferv39k(tmp_path, frames=1)
    write_lines(
        tmp_path / TRAIN_LIST,
        [
            'Action/Angry/0001 Angry',
            'Action/Angry/0001 Angry',
            'Action/Angry/0003 Bored',
            'Action/Angry/0004',
            'Action/0005 3',
        ],
    )
    message = error_of(tmp_path)
    assert '4 bad lines' in message
    assert f'{TRAIN_LIST}:2: clip Action/Angry/0001 is listed twice' in message
    assert ":3: class 'Bored' is none of Angry, Disgust" in message
    assert ':4: ' in message and ':5: ' in message


def test_an_id_that_stands_for_two_classes_is_refused(tmp_path):
    make_ferv39k(tmp_path, frames=1)
    lines = ['Action/Angry/0001 0', 'Action/Happy/0004 0']
    write_lines(tmp_path / TRAIN_LIST, lines)
    assert 'id 0 is Happy by the path of Action/Happy/0004, Angry' in error_of(tmp_path)


def test_missing_lists_and_frames_name_the_places(tmp_path):
    make_ferv39k(tmp_path, frames=1)
    shutil.rmtree(tmp_path / '2_ClipsforFaceCrop/Action/Happy')
    assert '1 of 7 clips' in error_of(tmp_path)
    shutil.rmtree(tmp_path / '2_ClipsforFaceCrop')
    assert 'searched 2_ClipsforFaceCrop' in error_of(tmp_path)
    shutil.rmtree(tmp_path / '4_setups')
    message = error_of(tmp_path)
    assert TRAIN_LIST in message and str(tmp_path / 'All_scenes') in message
