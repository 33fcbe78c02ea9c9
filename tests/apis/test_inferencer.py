import csv
import json
import tracemalloc

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from ifdd_mmaction.apis import DFERInferencer, VideoResult
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.video import Frame
from tests.helpers.checkpoints import CONFIG, Brightness
from tests.helpers.scenes import scene, write_video


def inferencer(**kwargs):
    options = dict(show_progress=False, predictor=Brightness(), window=1.0, smooth=0)
    return DFERInferencer(CONFIG, **{**options, **kwargs})


def flat(values, edge=64):
    """Frames of uniform brightness."""
    return np.stack([np.full((edge, edge, 3), v, np.uint8) for v in values])


def test_windows_get_the_frames_of_their_time():
    dark_then_bright = flat([0] * 50 + [255] * 51)
    result = inferencer(detector='none').infer_video(dark_then_bright)
    (track,) = result.tracks
    assert (track.start, track.end) == (0, 4) and result.frames == 101
    starts = [window.start for window in track.windows]
    np.testing.assert_allclose(starts, np.arange(0, 3.1, 0.5))
    bright = [window.probabilities[0] for window in track.windows]
    np.testing.assert_allclose(bright, [0, 0, 0, 0.5, 1, 1, 1], atol=0.07)
    assert bright == [window.smoothed[0] for window in track.windows]


def test_smoothing_and_raw_probabilities_are_both_kept():
    frames = flat([0] * 50 + [255] * 51)
    (track,) = inferencer(detector='none', smooth=0.5).infer_video(frames).tracks
    raw = np.array([window.probabilities for window in track.windows])
    assert np.abs(np.diff(track.smoothed[:, 0])).max() < np.diff(raw[:, 0]).max()
    np.testing.assert_allclose(track.smoothed.sum(1), 1)


def test_clips_are_batched_in_the_format_of_the_test_pipeline():
    predictor = Brightness()
    inferencer(detector='none', predictor=predictor).infer_video(flat([9] * 101), 3)
    shape = 1, 3, 16, 64, 64
    assert predictor.batches == [(3, *shape), (3, *shape), (1, *shape)]


def test_a_lost_face_gives_a_gap_and_tracks_stay_separate():
    stays, leaves = (160, 180, 70), (480, 200, 80)
    frames = [scene([stays, leaves])] * 20 + [scene([stays])] * 30
    frames += [scene([stays, leaves])] * 20
    result = inferencer(detect_every=2, stride=0.25).infer_video(np.stack(frames))
    assert len(result.tracks) == 3
    whole, before, after = sorted(result.tracks, key=lambda t: (t.boxes[0][0], t.start))
    assert (whole.start, whole.end) == (0, pytest.approx(2.72))
    assert before.end == pytest.approx(0.72) and after.start == pytest.approx(2.0)
    assert not any(w.start < 2 and w.end > 0.72 for w in before.windows + after.windows)
    left, top, right, bottom = whole.boxes[35]
    assert 130 < left < 160 < right < 190 and 145 < top < 180 < bottom < 215
    assert len(whole.boxes) == len(whole.frames) == 69
    assert result.settings['detector_frames_per_second'] > 0


def test_calling_it_returns_dicts_and_writes_figures(tmp_path):
    path = write_video(tmp_path / 'a.mp4', flat(range(0, 200, 4)))
    tool = inferencer(detector='none')
    answer = tool([path, flat([3] * 30)], out_dir=tmp_path / 'out', batch_size=2)
    one, two = answer['predictions']
    assert json.loads(json.dumps(one)) == one
    assert one['video'] == str(path) and one['classes'] == ['bright', 'neutral']
    assert one['tracks'][0]['windows'][0]['expression'] == 'neutral'
    assert two['frames'] == 30
    for files in answer['visualization']:
        assert set(files) == {'timeline', 'annotated', 'moments'}
        assert all(file.is_file() for file in files.values())
    (result,) = tool(str(path), return_datasamples=True)['predictions']
    assert isinstance(result, VideoResult)
    with pytest.raises(ValueError, match='unknown argument'):
        tool(path, color='red')


def test_videos_of_one_name_do_not_overwrite_each_other(tmp_path):
    tool = inferencer(detector='none')
    answer = tool([flat([3] * 9), flat([250] * 9)], out_dir=tmp_path, annotated=False)
    folders = [files['timeline'].parent.name for files in answer['visualization']]
    assert folders == ['array', 'array_2']


def test_an_empty_batch_is_refused():
    with pytest.raises(InputError, match='batch_size=0'):
        inferencer(detector='none').infer_video(flat([3] * 9), batch_size=0)


def test_json_and_csv_agree(tmp_path):
    result = inferencer(detector='none').infer_video(flat([0] * 50 + [255] * 51))
    result.write_json(tmp_path / 'a.json')
    result.write_csv(tmp_path / 'a.csv')
    data = json.loads((tmp_path / 'a.json').read_text())
    rows = list(csv.DictReader((tmp_path / 'a.csv').open()))
    windows = data['tracks'][0]['windows']
    assert len(rows) == len(windows) == 7
    for row, window in zip(rows, windows, strict=True):
        assert float(row['start']) == window['start']
        assert [float(row[c]) for c in data['classes']] == window['smoothed']
        assert row['expression'] == window['expression']
    with pytest.warns(DeprecationWarning, match='is now VideoResult.expression'):
        assert result.emotion([0.2, 0.8]) == result.expression([0.2, 0.8]) == 'neutral'
    assert [row['expression'] for row in rows] == ['neutral'] * 3 + [
        rows[3]['expression'],
        'bright',
        'bright',
        'bright',
    ]


@pytest.mark.parametrize('threshold, unsure', [(None, 0), (0, 0), (0.8, 1), (1, 2)])
def test_below_the_threshold_no_class_is_named(tmp_path, threshold, unsure):
    # Probabilities of bright: 0 twice, a little, about a half, 1 three times.
    frames = flat([0] * 50 + [255] * 51)
    tool = inferencer(detector='none', abstain_below=threshold)
    result = tool.infer_video(frames)
    result.write_csv(tmp_path / 'a.csv')
    rows = list(csv.DictReader((tmp_path / 'a.csv').open()))
    windows = result.to_dict()['tracks'][0]['windows']
    names = [window['expression'] for window in windows]
    assert names == [row['expression'] for row in rows]
    assert names.count('not sure') == unsure
    if unsure:
        assert names[3] == 'not sure'
        assert f'not sure in {unsure} windows' in result.summary()
    assert ('abstain_below' in result.settings) == (threshold is not None)
    assert set(tool.show(frames, result, tmp_path)) == {
        'timeline', 'moments', 'annotated'
    }  # fmt: skip


@pytest.mark.parametrize('threshold', [-0.1, 1.01, float('nan')])
def test_a_threshold_is_a_probability(threshold):
    with pytest.raises(InputError, match=r'^abstain_below=.*: must be from 0 to 1$'):
        inferencer(abstain_below=threshold)


class Endless:
    """A video whose frames are drawn while it is read."""

    name = 'endless'

    def __init__(self, length):
        self.length = length

    def __iter__(self):
        for i in range(self.length):
            yield Frame(i, i / 25, np.full((224, 224, 3), i % 256, np.uint8))


def test_memory_does_not_grow_with_the_length_of_the_video():
    tool = inferencer(detector='none')
    tool.infer_video(Endless(100))
    peaks = []
    for length in (400, 1150):
        tracemalloc.start()
        tool.infer_video(Endless(length))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A frame has 150 KB, 750 frames 113 MB.
    assert peaks[1] - peaks[0] < 2e6


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(stride=0), 'stride=0'),
        (dict(window=-1), 'window=-1'),
        (dict(max_gap=-1), 'max_gap=-1'),
        (dict(smooth=-0.5), 'smooth=-0.5'),
        (dict(crop='round'), 'crop='),
        (dict(detector='haar'), 'unknown face detector'),
        (dict(predictor=None), 'weights=None'),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        inferencer(**options)


def test_a_config_without_a_test_pipeline_is_refused():
    cfg = Config.fromfile(CONFIG)
    cfg.test_dataloader.dataset.pipeline = [dict(type='FormatShape')]
    with pytest.raises(InputError, match='clip_len'):
        DFERInferencer(cfg, predictor=Brightness(), detector='none')


def test_no_face_and_a_single_frame_are_errors():
    with pytest.raises(InputError, match=r'array: .* found no face in 10 frames'):
        inferencer().infer_video(flat([90] * 10))
    with pytest.raises(InputError, match='1 frame'):
        inferencer(detector='none').infer_video(flat([90]))


def test_the_aligned_crop_differs_from_the_square(tmp_path):
    frames = np.stack([scene([(160, 180, 70)])] * 10)
    tilt = cv2.getRotationMatrix2D((160, 180), 20, 1)
    frames = np.stack([cv2.warpAffine(f, tilt, (640, 384)) for f in frames])
    square, aligned = (
        inferencer(crop=crop).infer_video(frames).tracks[0].windows[0].probabilities
        for crop in ('square', 'align')
    )
    assert square != aligned
