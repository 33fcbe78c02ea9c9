"""Lists, names and headers of any content, through the tools that read them."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st
from mmaction.registry import DATASETS
from mmengine.config import Config

from ifdd_mmaction.datasets import DatasetError, check_datasets
from ifdd_mmaction.datasets.prepare import check_clip
from ifdd_mmaction.datasets.storage import FolderClipSource
from ifdd_mmaction.datasets.storage.frame_order import order_frames
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.video import open_video
from tests.fuzz import draws
from tests.fuzz.test_annotations import CONTENTS, TOKENS
from tests.helpers.golden import load_tool
from tests.helpers.layouts import make_dfew, write_frames

pytestmark = pytest.mark.slow

# --- names of frames ------------------------------------------------------------------

PIECES = st.one_of(
    st.integers(0, 120).map(str),
    st.integers(0, 12).map('{:03d}'.format),
    st.decimals(0, 20, places=2).map(str),
    st.sampled_from(
        [
            '',
            '',
            'frame',
            'Frame',
            '_',
            '-',
            ' ',
            '.',
            '1',
            '0.5',
            '224x224',
            '(1)',
            'é',
        ]
    ),
)
STEMS = st.lists(PIECES, min_size=1, max_size=4).map(''.join)
NAMES = st.tuples(STEMS, st.sampled_from(['.jpg', '.png', '.JPEG'])).map(''.join)


@draws(600)
@given(names=st.lists(NAMES, min_size=1, max_size=8, unique=True), data=st.data())
@example(names=['1.9.jpg', '1.10.jpg'], data=None)
@example(names=['1_2.jpg', '2_1.jpg'], data=None)
def test_names_are_in_order_or_refused(names, data):
    folder = Path('clip')
    try:
        order = order_frames(folder, names)
    except DatasetError as error:
        assert str(error).startswith('clip') and '\n' not in str(error)
        return
    assert sorted(order) == sorted(names)
    if data is not None:
        assert order_frames(folder, data.draw(st.permutations(names))) == order
    # Of two names that differ in one whole number alone, the smaller one comes first.
    for one, other in itertools.combinations(order, 2):
        parts = [re.split(r'(\d+)', name.casefold()) for name in (one, other)]
        if len(parts[0]) != len(parts[1]) or any('.' in n[:-5] for n in (one, other)):
            continue
        differing = [(a, b) for a, b in zip(*parts, strict=True) if a != b]
        if len(differing) == 1 and all(x.isdecimal() for x in differing[0]):
            assert int(differing[0][0]) < int(differing[0][1]), order


@draws(60)
@given(
    numbers=st.lists(st.integers(0, 25), min_size=2, max_size=6, unique=True),
    around=st.tuples(
        st.sampled_from(['', 'f', 'f1_']), st.sampled_from(['', '_9', 'x'])
    ),
)
def test_files_are_read_in_the_order_of_their_numbers(
    numbers, around, tmp_path_factory
):
    folder = tmp_path_factory.mktemp('clip')
    for n in numbers:
        write_frames(folder, 1, size=8, start=n, name=f'{around[0]}{{}}{around[1]}.png')
        (folder / f'._{around[0]}{n}{around[1]}.png').write_bytes(b'\0\5\26\7')
    wanted = [10 * n for n in sorted(numbers)]
    for images in (
        FolderClipSource(folder).read(range(len(numbers))),
        [frame.image for frame in open_video(folder)],
    ):
        assert [int(image.mean()) for image in images] == wanted


# --- headers of images ----------------------------------------------------------------


def encoded(suffix: str) -> bytes:
    image = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)
    done, data = cv2.imencode(suffix, image)
    assert done
    return data.tobytes()


IMAGES = {suffix: encoded(suffix) for suffix in ('.jpg', '.png')}


@pytest.mark.parametrize('suffix', IMAGES)
@draws(250)
@given(
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    kept=st.integers(0, 2000),
    more=st.binary(max_size=8),
)
def test_a_damaged_image_is_named_by_every_reader(
    suffix, changes, kept, more, tmp_path
):
    data = bytearray(IMAGES[suffix][:kept])
    for place, value in changes:
        if data:
            data[place % len(data)] = value
    (tmp_path / f'1{suffix}').write_bytes(bytes(data) + more)
    check = check_clip(tmp_path)
    try:
        (image,) = FolderClipSource(tmp_path).read([0])
    except DatasetError as error:
        assert f'1{suffix}' in str(error) and check.errors == [str(error)]
        with pytest.raises(InputError, match=re.escape(f'1{suffix}')):
            list(open_video(tmp_path))
        return
    assert check.errors == [] and check.sizes == {'{} x {}'.format(*image.shape): 1}
    (frame,) = open_video(tmp_path, max_side=max(image.shape))
    assert np.array_equal(frame.image, image)


# --- lists ----------------------------------------------------------------------------

LISTS = dict(
    dfew='EmoLabel_DataSplit/{}(single-labeled)/set_1.csv',
    ferv39k='4_setups/All_scenes/{}_All.csv',
    mafw='Train & Test Set/single/no_caption/set_1/{}.txt',
)
ROWS = dict(
    dfew=['video_name,label', '1,1', '2,7', '00003,4'],
    ferv39k=['Action/Happy/0001 Happy', 'Action/Sad/0002 Sad'],
    mafw=['00001.mp4 anger', '00002.mp4 fear'],
)
CLIPS = dict(
    dfew='Clip/clip_224x224_16f/00001',
    ferv39k='2_ClipsforFaceCrop/Action/Happy/0001',
    mafw='frames/00001',
)


@pytest.mark.parametrize('dataset', LISTS)
@draws(120)
@given(data=st.data())
def test_prepare_ends_with_a_code_and_never_a_traceback(
    dataset, data, tmp_path, capsys
):
    valid, any_token = st.sampled_from(ROWS[dataset]), st.sampled_from(TOKENS)
    rows = st.lists(valid, min_size=1, max_size=4) | st.lists(valid | any_token)
    root = tmp_path / 'root'
    write_frames(root / CLIPS[dataset], 2, size=8)
    for split in ('train', 'test'):
        path = root / LISTS[dataset].format(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = data.draw(rows.map('\n'.join).map(str.encode) | CONTENTS)
        path.write_bytes(content)
    options = ['--out', str(tmp_path / 'out'), '--workers', '1', '--fold', '1']
    code = load_tool('data/prepare.py').main([dataset, str(root), *options, '--subset'])
    said = capsys.readouterr()
    event(f'exit code {code}')
    assert 'Traceback' not in said.err + said.out
    if code == 2:
        assert said.err.startswith('error: ')
    else:
        report = json.loads((tmp_path / 'out' / 'report.json').read_text())
        assert code == int(any(report['findings'].values()))


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> Path:
    root = make_dfew(tmp_path_factory.mktemp('own'), clips_per_class=1, frames=4)
    for i in (1, 2):
        write_frames(root / f'c{i}', 4, start=i)
    return root


CELLS = (
    *('c1', 'c1', 'c2', 'c1/1.jpg', 'c9', '', '..', '/', 'c1\\1.jpg', 'c 1', '"c1"'),
    *('0', '1', '1', '2', '6', '7', '-1', '1.0', 'happy', 'sad', '٣', '9' * 20, '#'),
)


@draws(300)
@given(
    rows=st.lists(
        st.lists(st.sampled_from(CELLS), min_size=1, max_size=5).map(','.join),
        max_size=5,
    ),
    header=st.sampled_from(['path,label', 'path,label,start,end', 'label,path', 'x']),
    classes=st.sampled_from([None, ('happy', 'sad'), tuple('abcdefg')]),
)
@example(rows=['c1,1', 'c2,2'], header='path,label', classes=None)
@example(rows=['c1,0', 'c2,1'], header='path,label', classes=None)
@example(rows=['c1\\1.jpg,0'], header='path,label', classes=('happy', 'sad'))
def test_what_training_is_given_fits_or_is_refused(rows, header, classes, clips):
    (clips / 'list.csv').write_text('\n'.join([header, *rows]), encoding='utf-8')
    cfg = Config(dict(model=dict(cls_head=dict(num_classes=2))))
    dataset = dict(
        type='AnnotationFileDataset', data_root=str(clips), ann_file='list.csv',
        pipeline=[dict(type='SampleClip', clip_len=2), dict(type='LoadFrames')],
    )  # fmt: skip
    if classes:
        dataset['metainfo'] = dict(classes=classes)
    cfg.train_dataloader = dict(batch_size=1, drop_last=True, dataset=dataset)
    try:
        check_datasets(cfg, ['train_dataloader'])
    except DatasetError as error:
        assert str(clips) in str(error) or 'classes' in str(error)
        return
    built = DATASETS.build(dataset)
    assume(len(built))
    for i in range(len(built)):
        info = built.get_data_info(i)
        assert info['label'] in (0, 1)
        first, start = info['source'].read([0])[0], info['video_id']
        folder = int(start[1])
        offset = re.search(r'\[(\d+)', start)
        number = 1 if '.jpg' in start else folder + int(offset[1] if offset else 0)
        assert abs(int(first.mean()) - 10 * number) <= 1, start
