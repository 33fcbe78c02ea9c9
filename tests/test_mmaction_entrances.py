"""MMAction2's own functions, inferencers and tools, unchanged, on our configs and zoo.

Its ``demo/`` is in no wheel: what those scripts call is called here.
"""

import os
import pickle
import re
from pathlib import Path

import cv2
import mmaction
import numpy as np
import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.apis.inference import inference_recognizer
from mmaction.apis.inferencers import ActionRecogInferencer, MMAction2Inferencer
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from ifdd_mmaction.decoding import VideoReader
from tests.helpers.golden import ROOT
from tests.helpers.interpreters import run_python
from tests.helpers.layouts import make_dfew, write_lines
from tests.helpers.scenes import face, write_video
from tests.helpers.tools import TINY, data_options, run_tool

TOOLS = Path(mmaction.__path__[0]) / '.mim' / 'tools'
NAMES = ('ifdd_vit_sample', 'ifdd_cnn_sample')
CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.relative_to(ROOT).parts
)


def config(name):
    return str(ROOT / 'configs' / f'{name}.py')


def weights(name):
    return str(next((ROOT / 'zoo').glob(f'{name}_*.pth')))


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """A drawn face that begins to smile, 24 frames."""
    frames = [cv2.resize(face(3, i / 23), (96, 96)) for i in range(24)]
    return write_video(tmp_path_factory.mktemp('video') / 'smile.mp4', frames)


@pytest.fixture(scope='module')
def frames(video):
    """The frames of the video ``(T, H, W, 3)``."""
    reader = VideoReader(video)
    return np.stack(reader.read(range(len(reader))))


@pytest.fixture(scope='module')
def folder(frames, tmp_path_factory):
    """The frames as files, under names of MMAction2."""
    folder = tmp_path_factory.mktemp('frames')
    for i, image in enumerate(frames, start=1):
        cv2.imwrite(str(folder / f'img_{i:05}.png'), image[..., ::-1])
    return folder


@pytest.fixture(scope='module', params=NAMES)
def model(request):
    return init_recognizer(config(request.param), weights(request.param), 'cpu')


def own_scores(model, video):
    """Score a video as tools/test.py does: by a dataset of this package."""
    write_lines(video.with_name('a.csv'), ['path,label', f'{video.name},0'])
    dataset = DATASETS.build(
        dict(
            type='AnnotationFileDataset', data_root=str(video.parent),
            ann_file='a.csv', split='test',
            pipeline=model.cfg.test_dataloader.dataset.pipeline,
        )
    )  # fmt: skip
    with torch.no_grad():
        return model.test_step(pseudo_collate([dataset[0]]))[0].pred_score


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_configs_name_the_pipeline_that_mmaction2_reads(path):
    cfg = Config.fromfile(path, import_custom_modules=False)
    assert cfg.test_pipeline == cfg.test_dataloader.dataset.pipeline
    assert cfg.default_hooks.visualization.type == 'ClipVisualizationHook'


def test_inference_recognizer(model, video, frames, folder):
    expected = own_scores(model, video)
    for given in (str(video), str(folder), dict(array=frames)):
        found = inference_recognizer(model, given).pred_score
        assert torch.equal(found, expected), given


@pytest.mark.parametrize(
    ('entrance', 'kind'),
    [
        (ActionRecogInferencer, 'video'),
        (ActionRecogInferencer, 'array'),
        (ActionRecogInferencer, 'rawframes'),
        (MMAction2Inferencer, 'video'),
        (MMAction2Inferencer, 'array'),
    ],
)
def test_the_inferencers(model, entrance, kind, video, frames, folder):
    name = NAMES['cnn' in model.cfg.filename]
    options = dict(device='cpu', input_format=kind)
    if kind == 'rawframes':
        options['pack_cfg'] = dict(filename_tmpl='img_{:05}.png')
    inferencer = entrance(config(name), weights(name), **options)
    clip = dict(video=str(video), array=frames, rawframes=str(folder))[kind]
    (found,) = inferencer(clip)['predictions']
    scores = found.get('pred_scores') or found['rec_scores'][0]
    assert torch.equal(torch.tensor(scores), own_scores(model, video))


def test_an_inferencer_writes_the_class_on_the_frames(video, tmp_path):
    """What ``demo_inferencer.py --vid-out-dir`` does, as images: without moviepy."""
    write_lines(tmp_path / 'labels.txt', ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
    inferencer = MMAction2Inferencer(
        config(NAMES[0]), weights(NAMES[0]), 'cpu', str(tmp_path / 'labels.txt')
    )
    drawn = {}
    for draw_pred in (False, True):
        out = tmp_path / str(draw_pred)
        inferencer(
            str(video), vid_out_dir=str(out), out_type='img', draw_pred=draw_pred
        )
        files = sorted(out.rglob('*.png'))
        assert len(files) == 24
        drawn[draw_pred] = cv2.imread(str(files[0]))
    assert (drawn[True] != drawn[False]).any(2).sum() > 100


def test_the_clips_of_long_video_demo(model, video, frames):
    """The pipeline that the demo makes, with the options that docs/inference.md names.

    On the 16 frames that the test pipeline takes, its scores are those of testing.
    """
    cfg = model.cfg.copy()
    cfg.merge_from_dict(
        {'test_pipeline.0.type': 'SampleFrames', 'test_pipeline.0.num_clips': 1}
    )
    sample, *steps = cfg.test_pipeline
    assert 'SampleFrames' in sample.type and sample.clip_len * sample.num_clips == 16
    steps.insert(1, dict(type='ArrayDecode'))
    window = list(frames[4:20])
    data = dict(
        img_shape=window[0].shape[:2], modality='RGB', label=-1, array=window,
        clip_len=16, num_clips=1, frame_inds=np.arange(16),
    )  # fmt: skip
    found = inference_recognizer(model, data, test_pipeline=Compose(steps)).pred_score
    assert torch.equal(found, own_scores(model, video))


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_dfew(tmp_path_factory.mktemp('dfew'), clips_per_class=1, frames=10)


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
    """A work dir after two epochs by MMAction2's train.py."""
    work_dir = tmp_path_factory.mktemp('run') / 'work'
    run_tool(
        str(TOOLS / 'train.py'), TINY, '--work-dir', work_dir, '--cfg-options',
        *data_options(data, 'train', 'val', 'test'),
        'default_hooks.logger.interval=1',
    )  # fmt: skip
    return work_dir


@pytest.mark.slow
@pytest.mark.parametrize('tool', [str(TOOLS / 'test.py'), 'test.py'])
def test_show_dir_of_both_test_tools(tool, trained, data, tmp_path):
    run_tool(
        tool, TINY, trained / 'epoch_2.pth', '--work-dir', tmp_path,
        '--show-dir', tmp_path / 'out', '--interval', 3,
        '--cfg-options', *data_options(data, 'test'),
    )  # fmt: skip
    # Every third of each process and epoch, in the order of the list.
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        '11.png', '14.png', '8.png',
    ]  # fmt: skip


@pytest.mark.slow
def test_an_interval_of_none_is_refused(trained):
    result = run_tool(
        'test.py', TINY, trained / 'epoch_2.pth', '--interval', 0, check=2
    )
    assert '--interval 0: give 1 or more' in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_print_config(name):
    tool = str(TOOLS / 'analysis_tools' / 'print_config.py')
    printed = run_tool(tool, config(name), fresh=True).stdout.partition('Config:\n')[2]
    assert Config.fromstring(printed, '.py').to_dict() == (
        Config.fromfile(config(name)).to_dict()
    )


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_get_flops(name):
    tool = str(TOOLS / 'analysis_tools' / 'get_flops.py')
    shape = ['--shape', 1, 3, 16, 64, 64]
    said = run_tool(tool, config(name), *shape, fresh=True).stdout
    model = init_recognizer(config(name), device='cpu')
    # It counts what extract_feat calls: all but the head.
    parts = (model.backbone, model.neck)
    counted = sum(p.numel() for part in parts for p in part.parameters())
    found = float(re.search(r'Params: ([\d.]+)M', said)[1])
    assert abs(found - counted / 1e6) <= 0.01 * found
    assert re.search(r'Flops: [\d.]+[MG]', said)


@pytest.mark.slow
def test_confusion_matrix(trained, data, tmp_path):
    """By the line of docs/inference.md; by itself it cannot import mmaction.models."""
    line = (ROOT / 'docs' / 'inference.md').read_text()
    code = re.search(r'python -c "(import ifdd_mmaction, runpy.*?)"', line)[1]
    tool = TOOLS / 'analysis_tools' / 'confusion_matrix.py'
    out, picture = tmp_path / 'cm.pkl', tmp_path / 'cm.png'
    command = [tool, TINY, trained / 'epoch_2.pth', '--out', out]
    command += ['--show-path', picture, '--cfg-options', *data_options(data, 'test')]
    done = run_python(['-c', code, *command], env={**os.environ, 'MPLBACKEND': 'Agg'})
    assert done.returncode == 0, done.stderr
    matrix = pickle.loads(out.read_bytes())
    assert matrix.sum(1).tolist() == [1] * 7 and cv2.imread(str(picture)) is not None


@pytest.mark.slow
def test_vis_scheduler(tmp_path):
    options = ['--dataset-size', 48, '--not-show', '--save-path', tmp_path / 'lr.png']
    options += ['--cfg-options', f'work_dir={tmp_path}']
    tool = str(TOOLS / 'visualizations' / 'vis_scheduler.py')
    run_tool(
        tool, config(NAMES[0]), *options, 'train_cfg.type=EpochBasedTrainLoop',
        fresh=True, MPLBACKEND='Agg',
    )  # fmt: skip
    assert cv2.imread(str(tmp_path / 'lr.png')) is not None
    refused = run_tool(
        tool, config(NAMES[0]), *options, check=1, fresh=True, MPLBACKEND='Agg'
    )
    assert "use 'EpochBasedTrainLoop'" in refused.stderr


@pytest.mark.slow
def test_analyze_logs(trained):
    pytest.importorskip('seaborn')
    (log,) = trained.glob('*/vis_data/scalars.json')
    tool = str(TOOLS / 'analysis_tools' / 'analyze_logs.py')
    said = run_tool(tool, 'cal_train_time', log, '--include-outliers', fresh=True)
    assert re.search(r'average iter time: [\d.]+ s/iter', said.stdout)
