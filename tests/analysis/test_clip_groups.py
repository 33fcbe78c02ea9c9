import pytest

from ifdd_mmaction.analysis import clip_groups
from ifdd_mmaction.datasets import DatasetError

CLIPS, UNKNOWN = ['7', '4'], [{}, {}]


def write(root, text, name='groups.csv'):
    (root / name).write_text(text)
    return root / name


def test_a_file_goes_before_what_the_dataset_says(tmp_path):
    path = write(tmp_path, 'clip,group\n04,ben\n7,anna\n8,eve\n')
    infos = [dict(subject='x')] * 2
    found = clip_groups(CLIPS, infos, file=path, key=lambda name: name.lstrip('0'))
    assert found == (['anna', 'ben'], 'groups of groups.csv')


def test_clips_without_a_group_are_named(tmp_path):
    path = write(tmp_path, '4,ben\n')
    with pytest.raises(DatasetError, match='1 of 2 clips have no group'):
        clip_groups(CLIPS, UNKNOWN, file=path)


@pytest.mark.parametrize('first', ['id', 'video_name'])
def test_subjects_of_the_table_in_the_data(tmp_path, first):
    write(tmp_path, f'{first},label,subject\n4,1,12\n7,2,3\n9,1,3\n', 'clips.csv')
    found = clip_groups(CLIPS, UNKNOWN, root=tmp_path)
    assert found == (['3', '12'], 'subjects of clips.csv')
    # What the dataset itself says goes before it, if it says it of every clip.
    infos = [dict(subject='anna'), dict(subject='ben')]
    assert clip_groups(CLIPS, infos, root=tmp_path).groups == ['anna', 'ben']
    assert clip_groups(CLIPS, [infos[0], {}], root=tmp_path) == found


@pytest.mark.parametrize('text', ['id,label\n4,1\n7,2\n', 'id,subject\n4,1\n', ''])
def test_without_all_subjects_each_clip_is_a_group(tmp_path, text):
    write(tmp_path, text, 'clips.csv')
    assert clip_groups(CLIPS, UNKNOWN, root=tmp_path) == (CLIPS, 'clips')
