"""Transforms of MMAction2 that need decord, where it works and where it does not."""

import os
import sys

import pytest
from mmengine.config import Config

from ifdd_mmaction.decoding import attempts
from ifdd_mmaction.engine import check_decoders
from ifdd_mmaction.errors import InputError
from tests.helpers.golden import ROOT
from tests.helpers.interpreters import run_python

WRAPPED = dict(
    type='RepeatDataset',
    dataset=dict(type='VideoDataset', pipeline=[dict(type='mmaction.DecordInit')]),
)


def config(*types, dataset=None):
    pipeline = [dict(type=name) for name in types]
    dataset = dataset or dict(type='VideoDataset', pipeline=pipeline)
    return Config(dict(test_dataloader=dict(dataset=dataset)))


@pytest.fixture
def absent(monkeypatch):
    """Have no decord."""
    monkeypatch.setitem(sys.modules, 'decord', None)
    attempts.try_decoder.cache_clear()
    yield
    attempts.try_decoder.cache_clear()


@pytest.mark.parametrize('cfg', [
    config('DecordInit', 'SampleFrames', 'DecordDecode'),
    config('DecordDecode'),
    config(dataset=WRAPPED),
])  # fmt: skip
def test_a_transform_of_decord_is_refused_without_it(absent, cfg):
    said = (
        r'^test_dataloader: Decord\w+ of MMAction2 needs decord, which is not usable: '
        r'not installed\. Put SampleClip and LoadFrames in .*; or pip install decord'
    )
    with pytest.raises(InputError, match=said) as error:
        check_decoders(cfg, ['train_dataloader', 'test_dataloader'])
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('cfg', [
    config('SampleClip', 'LoadFrames'), config('PyAVInit', 'RawFrameDecode'),
    Config(), Config(dict(test_dataloader=None)),
])  # fmt: skip
def test_other_transforms_need_no_decord(absent, cfg):
    check_decoders(cfg, ['test_dataloader'])


def test_with_decord_its_transforms_are_taken():
    if attempts.try_decoder('decord').reason:
        pytest.skip(f'decord: {attempts.try_decoder("decord").reason}')
    check_decoders(config('DecordInit'), ['test_dataloader'])


@pytest.mark.slow
def test_training_is_refused_in_one_line(tmp_path):
    """With a decord that is built for a newer system."""
    (tmp_path / 'decord').mkdir()
    (tmp_path / 'decord/__init__.py').write_text(
        "raise OSError('/lib/libm.so.6: version `GLIBC_2.38\\' not found (required)')"
    )
    path = tmp_path / 'config.py'
    path.write_text(
        f"_base_ = ['{ROOT}/tests/data/tiny_dfew.py']\n"
        "train_dataloader = dict(dataset=dict(type='VideoDataset', _delete_=True, "
        "ann_file='a.txt', pipeline=[dict(type='DecordInit')]))\n"
    )
    folders = [str(tmp_path), str(ROOT), os.environ.get('PYTHONPATH', '')]
    result = run_python(
        ['-W', 'ignore', ROOT / 'tools/train.py', path, '--work-dir', tmp_path / 'run'],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(folders)},
    )
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert 'needs decord, which is not usable: does not load: version `GLIBC' in line
    assert not (tmp_path / 'run').exists()
