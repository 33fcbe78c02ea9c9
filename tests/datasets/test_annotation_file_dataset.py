import re
import shlex

import pytest
from mmaction.registry import DATASETS

from ifdd_mmaction.datasets import DatasetError
from tests.helpers.golden import ROOT
from tests.helpers.layouts import write_frames, write_lines, write_video
from tests.helpers.processes import run_script

LOAD = [
    dict(type='SampleClip', clip_len=4),
    dict(type='LoadFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]


def build(root, lines, **options):
    write_lines(root / 'list.csv', lines)
    kind = dict(type='AnnotationFileDataset', ann_file='list.csv', pipeline=LOAD)
    return DATASETS.build(dict(kind, data_root=str(root), **options))


def error_of(*args, **options) -> str:
    with pytest.raises(DatasetError) as error:
        build(*args, **options)
    return str(error.value)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / 'my faces'
    write_video(root / 'videos/Zoë 1.2, smiling.mp4', 20)
    write_frames(root / 'frames/ben.01', 20)
    write_frames(root / 'images', 2)
    return root


def test_videos_frames_images_and_parts_of_them_are_clips(root):
    dataset = build(root, [
        'note,path,label,start,end',
        'x,"videos/Zoë 1.2, smiling.mp4",sad,,',
        'x,"videos/Zoë 1.2, smiling.mp4",Happy,16,20',
        'x,frames/ben.01,1,,',
        'x,frames/ben.01,happy,9,',
        'x,images/2.jpg,happy',
    ], metainfo=dict(classes=('happy', 'sad')))  # fmt: skip
    samples = [dataset[i]['data_samples'] for i in range(5)]
    assert [sample.gt_label.item() for sample in samples] == [1, 0, 1, 0, 0]
    assert samples[1].video_id == 'videos/Zoë 1.2, smiling.mp4[16:20]'
    # Frame i, from 0, has the value 10 (i + 1).
    grays = [dataset[i]['inputs'].float().mean((0, 1, 3, 4)) / 10 for i in (1, 4)]
    assert grays[0].round().tolist() == [17, 18, 19, 20]
    assert grays[1].round().tolist() == [2, 2, 2, 2]
    infos = [dataset.get_data_info(i) for i in range(5)]
    assert [len(info['source']) for info in infos] == [20, 4, 20, 11, 1]
    assert dataset.metainfo['classes'] == ('happy', 'sad')


@pytest.mark.parametrize('labels, classes', [
    (['sad', 'happy', 'sad'], ('happy', 'sad')),
    (['2', '0', '2'], ('0', '1', '2')),
])  # fmt: skip
def test_classes_come_from_the_file_where_none_are_given(root, labels, classes):
    paths = ['frames/ben.01', 'images', 'images/1.jpg']
    lines = [f'{p},{label}' for p, label in zip(paths, labels, strict=True)]
    dataset = build(root, ['path,label', *lines])
    assert dataset.metainfo['classes'] == classes
    found = [dataset.get_data_info(i)['label'] for i in range(3)]
    assert [classes[i] for i in found] == labels


def test_every_bad_line_is_named(root):
    message = error_of(root, [
        'path,label,start,end',
        'images,happy,,',
        'images,happy,,',
        'images,bored,0,1',
        'images,happy,1s,',
        'images,happy,2,2',
        ',happy,,',
    ], metainfo=dict(classes=('happy', 'sad')))  # fmt: skip
    assert '5 bad lines' in message
    for part in (
        'list.csv:3: clip images is listed twice',
        "list.csv:4: class 'bored' is none of happy, sad",
        "list.csv:5: start '1s'",
        'list.csv:6: end 2 is not after start 2',
        'list.csv:7: ',
    ):
        assert part in message
    assert "not a header with 'path' and 'label'" in error_of(root, ['images,happy'])


@pytest.mark.parametrize('way', ['relative', 'absolute'])
def test_paths_out_of_the_root_need_leave(root, way):
    write_frames(root.parent / 'other', 2)
    path = '../other' if way == 'relative' else root.parent / 'other'
    lines = ['path,label', f'{path},happy']
    assert 'allow_outside=True' in error_of(root, lines)
    assert len(build(root, lines, allow_outside=True)) == 1


def test_missing_clips_and_parts_behind_the_end_are_named(root):
    message = error_of(root, [
        'path,label,start,end',
        'videos/none.mp4,happy,,',
        'frames/none,happy,,',
        'frames/ben.01,happy,10,21',
    ])  # fmt: skip
    assert '3 of 3 clips' in message and 'videos/none.mp4' in message
    assert 'ben.01[10:21]: the clip has 20 frames' in message


@pytest.mark.slow
def test_the_commands_of_the_page_work(tmp_path):
    page = (ROOT / 'docs' / 'own_videos.md').read_text()
    blocks = re.findall(r'```(\w*)\n(.*?)```', page, re.S)
    (listing,) = (text for kind, text in blocks if text.startswith('path,'))
    (config,) = (text for kind, text in blocks if kind == 'python')
    (commands,) = (text for kind, text in blocks if kind == 'bash')
    for split in ('train', 'test'):
        (tmp_path / 'my_faces').mkdir(exist_ok=True)
        (tmp_path / f'my_faces/{split}.csv').write_text(listing)
    for name in ('anna 01', 'ben 01'):
        write_video(tmp_path / f'my_faces/videos/{name}.mp4', 40, size=64)
    write_frames(tmp_path / 'my_faces/frames/cleo_01', 20, size=64, name='{:04d}.jpg')
    (tmp_path / 'my_faces.py').write_text(config)
    for name in ('configs', 'tools'):
        (tmp_path / name).symlink_to(ROOT / name)
    for line in commands.replace('\\\n', ' ').splitlines():
        python, *words = shlex.split(line)
        assert python == 'python'
        done = run_script(words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / 'work_dirs/my_faces/predictions.json').is_file()
