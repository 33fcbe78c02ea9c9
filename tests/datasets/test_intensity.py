import json

import numpy as np
import pytest

from ifdd_mmaction.datasets import DatasetError, DFEWDataset, read_intensity
from tests.helpers.layouts import make_dfew


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_json(tmp_path):
    path = write(tmp_path / 'intensity.json', dict(anna=[0, 0.5], ben=[1]))
    found = read_intensity(path)
    assert {k: v.tolist() for k, v in found.items()} == dict(anna=[0, 0.5], ben=[1])


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'does not exist: give a JSON file'),
        ('{"anna": [0', 'is not JSON'),
        ([0, 1], 'holds a list: it must be an object'),
        (dict(anna=[0, 1], ben='high', eve=[[1]]), '2 of 3 clips have no list'),
        ('{"anna": [NaN]}', '1 of 1 clips have no list of finite numbers:\n.*anna'),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, message):
    path = tmp_path / 'intensity.json'
    if content is not None:
        write(path, content)
    with pytest.raises(DatasetError, match=f'{path}.*{message}'):
        read_intensity(path)


def test_a_dataset_gives_each_clip_its_intensity(tmp_path):
    root = make_dfew(tmp_path)
    clips = DFEWDataset(root, split='test')
    infos = [clips.get_data_info(i) for i in range(len(clips))]
    rows = {c['video_id']: [i / 8] * c['total_frames'] for i, c in enumerate(infos)}
    write(root / 'intensity.json', rows)
    known = DFEWDataset(root, split='test', intensity='intensity.json')
    for i, info in enumerate(infos):
        found = known.get_data_info(i)['intensity']
        np.testing.assert_array_equal(found, np.float32(rows[info['video_id']]))

    (first, numbers), *rest = rows.items()
    write(root / 'intensity.json', {**dict(rest[1:]), first: numbers[1:]})
    with pytest.raises(DatasetError) as error:
        DFEWDataset(root, split='test', intensity='intensity.json')
    assert f'{first}: {len(numbers) - 1} numbers for {len(numbers)}' in str(error.value)
    assert f'{rest[0][0]}: not in the file' in str(error.value)
