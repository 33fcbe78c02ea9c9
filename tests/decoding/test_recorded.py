"""The decoder is in what a run leaves behind."""

import json

import pytest

from ifdd_mmaction.checkpoints import read_checkpoint
from ifdd_mmaction.decoding import VideoReader
from tests.helpers.layouts import make_mafw
from tests.helpers.runners import log_of, tiny_runner


@pytest.mark.slow
@pytest.mark.parametrize('storage', ['video', 'frames'])
def test_checkpoints_and_reports_name_the_decoder_of_videos(tmp_path, storage):
    root = make_mafw(tmp_path / 'mafw', frames=8, storage=storage)
    data = dict(type='MAFWDataset', data_root=str(root))
    options = {'model.cls_head.num_classes': 11}
    runner = tiny_runner(tmp_path / 'run', data, **options)
    runner.train()
    runner.test()
    checkpoint = read_checkpoint(tmp_path / 'run' / 'epoch_1.pth')
    meta = checkpoint['meta']['dataset_meta']
    report = json.loads((tmp_path / 'run' / 'predictions.json').read_text())
    said = log_of(tmp_path / 'run').count('videos are read by PyAV ')
    if storage == 'video':
        decoder = VideoReader('').decoder
        assert decoder.startswith('PyAV ')
        assert meta['decoder'] == report['decoder'] == decoder and said == 1
    else:
        assert 'decoder' not in meta and 'decoder' not in report and not said
