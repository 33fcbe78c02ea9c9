"""What MMAction2's visualizer writes on the frames of a video."""

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmaction.visualization import ActionVisualizer


class Recorder(ActionVisualizer):
    """Keeps the texts that it draws."""

    def draw_texts(self, texts, *args, **kwargs):
        self.texts = texts
        return super().draw_texts(texts, *args, **kwargs)


@pytest.mark.parametrize(
    ('true', 'lines'),
    [
        (0, ['Ground truth: 0 (joy)', 'Prediction: 1, 0.75 (anger)']),
        (-1, ['Prediction: 1, 0.75 (anger)']),  # as the demos label a video
        (None, ['Prediction: 1, 0.75 (anger)']),
    ],
)
def test_both_classes_are_written(true, lines):
    sample = ActionDataSample().set_pred_label(1)
    sample.set_pred_score(torch.tensor([0.25, 0.75]))
    if true is not None:
        sample.set_gt_label(true)
    before = sorted(sample.all_keys())
    visualizer = Recorder()
    visualizer.dataset_meta = dict(classes=('joy', 'anger'))
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    drawn = visualizer.add_datasample('a', frames, sample)
    assert visualizer.texts.splitlines()[1:] == lines
    assert drawn.shape == frames.shape and sorted(sample.all_keys()) == before
