"""The full-size model on real face videos, where the folder with them is at hand."""

import os
import re
import resource
from pathlib import Path

import cv2
import pytest
import torch

from tests.helpers.golden import ROOT
from tests.helpers.layouts import write_list
from tests.helpers.tools import data_options, run_tool

CLIPS = Path(os.environ.get('IFDD_CLIPS', ROOT.parent / 'shared' / 'clips'))
#: Video, crop of the face (x, y, edge) in its frames, first frames of the clips.
FACES = {
    'neutral_smile_neutral.mp4': ((190, 60, 220), (0, 18, 36)),
    'cry_to_laugh.mp4': ((310, 40, 290), (0, 96, 288)),
}


def cut_faces(root: Path) -> None:
    """Cut 16-frame face clips into DFEW's layout, with arbitrary labels."""
    name = 0
    rows: dict[str, list] = dict(train=[], test=[])
    for video, ((x, y, edge), starts) in FACES.items():
        capture = cv2.VideoCapture(str(CLIPS / video))
        frames = []
        while (read := capture.read())[0]:
            frames.append(read[1])
        for i, start in enumerate(starts):
            name += 1
            folder = root / 'Clip' / 'clip_224x224_16f' / f'{name:05d}'
            folder.mkdir(parents=True)
            for k, frame in enumerate(frames[start : start + 16], start=1):
                face = cv2.resize(frame[y : y + edge, x : x + edge], (224, 224))
                cv2.imwrite(str(folder / f'{k}.jpg'), face)
            rows['test' if i == 2 else 'train'].append((name, 1 + name % 7))
    for split, lines in rows.items():
        folder = root / 'EmoLabel_DataSplit' / f'{split}(single-labeled)'
        write_list(folder / 'set_1.csv', lines)


@pytest.mark.slow
@pytest.mark.skipif(not CLIPS.is_dir(), reason='no folder of real face videos')
def test_the_full_size_model_trains_resumes_and_tests_on_real_faces(tmp_path):
    root, work_dir = tmp_path / 'dfew', tmp_path / 'work'
    cut_faces(root)
    config = ROOT / 'configs' / 'ifdd_vit_dfew.py'
    options = [
        '--cfg-options', *data_options(root, 'train', 'val', 'test'),
        'train_dataloader.batch_size=2', 'val_dataloader.batch_size=2',
        'test_dataloader.batch_size=2', 'train_dataloader.num_workers=1',
        'val_dataloader.num_workers=1', 'test_dataloader.num_workers=1',
        'default_hooks.logger.interval=1',
    ]  # fmt: skip
    train = ['train.py', config, '--work-dir', work_dir]
    run_tool(*train, *options, 'train_cfg.max_epochs=1')
    result = run_tool(*train, '--resume', *options, 'train_cfg.max_epochs=2')
    log = result.stdout + result.stderr
    assert set(re.findall(r'Epoch\(train\) +\[(\d+)\]', log)) == {'2'}
    losses = [float(v) for v in re.findall(r' loss: ([\d.]+)', log)]
    assert len(losses) == 2 and all(0.5 < v < 4 for v in losses)

    checkpoint = torch.load(work_dir / 'epoch_2.pth', weights_only=True)
    assert checkpoint['meta']['epoch'] == 2
    assert sum(v.numel() for v in checkpoint['state_dict'].values()) == 37_532_498
    dump = tmp_path / 'predictions.json'
    run_tool(
        'test.py', config, work_dir / 'epoch_2.pth', '--work-dir', work_dir,
        '--dump', dump, *options,
    )  # fmt: skip
    assert dump.is_file()
    seconds = [float(v) for v in re.findall(r' time: ([\d.]+)', log)]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f'seconds per iteration of 2 clips: {seconds}; peak memory {peak:.2f} GiB')
