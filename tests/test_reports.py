"""Errors that users of other projects reported, each with a file of the same kind.

``docs/errors.md`` lists the reports; each test names its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import mmaction
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config

from ifdd_mmaction.checkpoints import read_checkpoint
from ifdd_mmaction.datasets import DatasetError, check_datasets
from ifdd_mmaction.datasets.storage import FolderClipSource
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.weights import load_all
from tests.helpers.golden import ROOT, load_tool
from tests.helpers.layouts import make_dfew, write_frames, write_lines
from tests.helpers.runners import tiny_runner
from tests.helpers.tools import TINY, data_options, run_tool

pytestmark = pytest.mark.slow

LOADERS = ('train', 'val', 'test')


def build(root: Path, content: bytes, **options):
    """Build a dataset of a list with this content."""
    (root / 'list.csv').write_bytes(content)
    kind = dict(type='AnnotationFileDataset', ann_file='list.csv', pipeline=[])
    return DATASETS.build(dict(kind, data_root=str(root), **options))


def refused(*args, **options) -> str:
    with pytest.raises(DatasetError) as caught:
        build(*args, **options)
    return str(caught.value)


def test_spaces_in_names(tmp_path):
    """open-mmlab/mmaction2#2659: "too many values to unpack (expected 2)"."""
    write_frames(tmp_path / 'anna 01 b', 3)
    dataset = build(tmp_path, b'path,label\nanna 01 b,happy\n')
    assert dataset.get_data_info(0)['video_id'] == 'anna 01 b'
    assert len(dataset.get_data_info(0)['source']) == 3


@pytest.mark.parametrize('end', [b'\n', b'\r\n'])
def test_marks_and_spaces_of_editors(tmp_path, end):
    """open-mmlab/mmaction2#128: a byte order mark, spaces and empty lines."""
    write_frames(tmp_path / 'a', 3)
    lines = [b'\xef\xbb\xbfpath , label', b' a , happy ', b'', b'']
    dataset = build(tmp_path, end.join(lines))
    assert dataset.get_data_info(0)['video_id'] == 'a'
    assert dataset.metainfo['classes'] == ('happy',)


@pytest.mark.parametrize(
    ('labels', 'classes', 'remedy'),
    [
        # open-mmlab/mmaction2#2159: labels from 1
        ((1, 2, 3), 3, 'subtract 1 from each label'),
        # open-mmlab/mmaction2#2120: num_classes differs from the data
        ((0, 1, 2), 2, 'set num_classes=3 there'),
    ],
)
def test_labels_that_cause_a_device_side_assert(tmp_path, labels, classes, remedy):
    """mmaction2#2159, mmaction2#2120: "device-side assert triggered"."""
    for label in labels:
        write_frames(tmp_path / f'c{label}', 3)
    write_lines(tmp_path / 'a.csv', ['path,label', *(f'c{i},{i}' for i in labels)])
    cfg = Config(dict(model=dict(cls_head=dict(num_classes=classes))))
    cfg.train_dataloader = dict(
        dataset=dict(
            type='AnnotationFileDataset', ann_file='a.csv', data_root=str(tmp_path),
            pipeline=[],
        )
    )  # fmt: skip
    with pytest.raises(DatasetError, match=remedy):
        check_datasets(cfg, ['train_dataloader'])


def test_no_workers(tmp_path):
    """open-mmlab/mmsegmentation#2514: "persistent_workers needs num_workers > 0"."""
    data = dict(type='DFEWDataset', data_root=str(make_dfew(tmp_path / 'd', 1, 10)))
    loader = {'num_workers': 0, 'persistent_workers': True}
    options = {f'test_dataloader.{k}': v for k, v in loader.items()}
    assert 'dfer/WAR' in tiny_runner(tmp_path, data, **options).test()


def test_resuming_from_published_weights(tmp_path, monkeypatch, capsys):
    """open-mmlab/mmocr#1715: "KeyError: 'epoch'"."""
    model = next(ROOT.glob('zoo/ifdd_vit_sample_*.safetensors'))
    data = make_dfew(tmp_path / 'd', 3, 10)
    line = ['train.py', ROOT / 'configs/ifdd_vit_sample.py', '--resume', model]
    line += ['--work-dir', tmp_path / 'run', '--cfg-options']
    line += data_options(data, *LOADERS)
    monkeypatch.setattr(sys, 'argv', [str(arg) for arg in line])
    with pytest.raises(SystemExit) as stop:
        load_tool('train.py').main()
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert stop.value.code == 2 and 'load_from' in error
    assert error.startswith(f'{model} has weights but no training state')


def test_a_clip_without_frames(tmp_path):
    """zengqunzhao/DFER-CLIP#3: "IndexError: list index out of range"."""
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / '.DS_Store').write_bytes(b'\0')
    assert f'{tmp_path / "a"}: no frame (.jpg' in refused(
        tmp_path, b'path,label\na,happy'
    )


def test_a_folder_that_is_listed_as_a_video(tmp_path):
    """Open-Debin/Emotion-FAN#3: 013736360.avi in the list, a folder on disk."""
    write_frames(tmp_path / '013736360', 3)
    said = refused(tmp_path, b'path,label\n013736360.avi,Fear')
    assert 'but ' in said and 'is a folder: list it without .avi' in said


def test_a_list_in_another_encoding(tmp_path):
    """open-mmlab/mmocr#1080: "UnicodeDecodeError: 'utf-8' codec can't decode"."""
    said = refused(tmp_path, 'path,label\n你,happy'.encode('gbk'))
    assert 'list.csv: not UTF-8' in said and 'save it as UTF-8' in said


@pytest.mark.parametrize(('mark', 'name'), [(b';', 'semicolons'), (b'\t', 'tabs')])
def test_a_list_separated_by_semicolons(tmp_path, mark, name):
    """asreview/asreview#302: CSV of a spreadsheet with semicolons."""
    said = refused(tmp_path, b'path,label\na,happy'.replace(b',', mark))
    assert f'separated by {name}: save it as CSV with commas' in said


def test_the_head_of_other_classes_is_not_left_random(tmp_path):
    """facebookresearch/SlowFast#333: "head.projection.weight not loaded"."""
    state = read_checkpoint(next(ROOT.glob('zoo/ifdd_vit_sample_*.pth')))['state_dict']
    cfg = Config.fromfile(ROOT / 'configs/ifdd_vit_sample.py')
    cfg.model.cls_head.num_classes = 11
    with pytest.raises(InputError, match=r'a\.pth has 7 classes, the config has 11'):
        load_all(MODELS.build(cfg.model), state, 'a.pth')


@pytest.mark.parametrize('first', [0, 1])
def test_frames_that_are_numbered_from(tmp_path, first):
    """open-mmlab/mmaction2#79, mmaction2#1277: "No such file ... img_00000.jpg"."""
    write_frames(tmp_path / 'a', 4, start=first, name='img_{:05}.jpg')
    write_lines(tmp_path / 'list.txt', ['a 4 0'])
    dataset = DATASETS.build(
        dict(
            type='RawframeDataset', ann_file=str(tmp_path / 'list.txt'),
            data_prefix=dict(img=str(tmp_path)), start_index=first, test_mode=True,
            pipeline=[
                dict(type='SampleClip', clip_len=4, test_mode=True),
                dict(type='RawFrameDecode'),
            ],
        )
    )  # fmt: skip
    grays = [round(image.mean() / 10) for image in dataset[0]['imgs']]
    assert grays == [first, first + 1, first + 2, first + 3]


def test_an_image_of_another_format_with_a_known_suffix(tmp_path):
    """serengil/deepface#1197: WebP images with the suffix .jpg."""
    done, data = cv2.imencode('.webp', np.zeros((8, 8, 3), np.uint8))
    assert done
    (tmp_path / '1.jpg').write_bytes(data.tobytes())
    with pytest.raises(DatasetError, match=r'1\.jpg: not an image .*no JPEG or PNG'):
        FolderClipSource(tmp_path).read([0])


def test_mmaction2s_own_tool_takes_the_seed(tmp_path):
    """The options --seed and --deterministic of MMAction2's train.py have effect."""
    tool = Path(mmaction.__path__[0]) / '.mim' / 'tools' / 'train.py'
    data = make_dfew(tmp_path / 'd', 1, 10)
    run_tool(
        str(tool), TINY, '--work-dir', tmp_path / 'run', '--seed', 7, '--deterministic',
        '--cfg-options', *data_options(data, *LOADERS), 'train_cfg.max_epochs=1',
    )  # fmt: skip
    saved = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)
    assert saved['meta']['seed'] == 7
    text = next((tmp_path / 'run').glob('*/vis_data/config.py')).read_text()
    assert Config.fromstring(text, '.py').randomness.deterministic is True
