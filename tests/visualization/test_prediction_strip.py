import matplotlib
import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle

from ifdd_mmaction.visualization import ClipPrediction, plot_prediction_strip
from ifdd_mmaction.visualization.prediction_strip import probabilities
from ifdd_mmaction.visualization.style import GREEN, RED
from tests.helpers.figures import DFEW, MAFW, assert_readable, texts_of


def clip(name, label, scores, frames=16, shape=(8, 8), seed=0):
    rng = np.random.default_rng(seed)
    images = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(frames)]
    return ClipPrediction(name, label, scores, images)


def logits(prediction, classes=DFEW):
    return [3.0 if i == prediction else 0.5 * (i % 3) for i in range(len(classes))]


def rows(figure):
    """Return (texts, images, bars) axes of each clip."""
    return [figure.axes[i : i + 3] for i in range(0, len(figure.axes), 3)]


def bars(axes):
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_scores_become_probabilities():
    scores = [1.0, -2.0, 800.0, 799.0]
    np.testing.assert_allclose(
        probabilities(scores), [0, 0, 1 / (1 + np.exp(-1)), 1 / (1 + np.e)], atol=1e-12
    )
    # as a head with average_clips='prob' gives them
    np.testing.assert_allclose(probabilities([0.7, 0.2, 0.1]), [0.7, 0.2, 0.1])
    assert probabilities([0.7, 0.9]).sum() == pytest.approx(1)
    assert probabilities([2.0, -1.0])[0] == pytest.approx(1 / (1 + np.exp(-3)))


def test_rows_show_true_and_predicted_class():
    figure = plot_prediction_strip(
        [clip('00007', 1, logits(1)), clip('00012', 2, logits(6))], DFEW
    )
    (right, _, _), (wrong, _, _) = rows(figure)
    assert [t.get_text() for t in right.texts] == ['sad', '✓ sad', 'clip 00007']
    assert [t.get_text() for t in wrong.texts] == ['neutral', '✗ fear', 'clip 00012']
    assert same_color(right.texts[1].get_color(), GREEN)
    assert same_color(wrong.texts[1].get_color(), RED)


def test_bars_are_the_probabilities_of_the_classes():
    scores = logits(6)
    figure = plot_prediction_strip([clip('1', 2, scores)], DFEW)
    axes = rows(figure)[0][2]
    expected = np.exp(scores) / np.exp(scores).sum()
    widths = [bar.get_width() for bar in bars(axes)]
    np.testing.assert_allclose(widths, expected)
    assert [t.get_text() for t in axes.get_yticklabels()] == list(DFEW)
    assert axes.yaxis_inverted()
    assert [t.get_text() for t in axes.texts] == [f'{p:.0%}' for p in expected]
    colors = [bar.get_facecolor() for bar in bars(axes)]
    assert same_color(colors[6], RED)
    assert not same_color(colors[2], colors[0])  # the true class is highlighted, too
    bold = [t.get_text() for t in axes.get_yticklabels() if t.get_weight() == 'bold']
    assert bold == ['neutral']
    right = rows(plot_prediction_strip([clip('1', 6, scores)], DFEW))[0][2]
    assert same_color(bars(right)[6].get_facecolor(), GREEN)


def test_frames_are_in_order_with_their_aspect_ratio():
    shown = clip('1', 0, logits(0), frames=5, shape=(20, 30))
    figure = plot_prediction_strip([shown, clip('2', 0, logits(0), frames=3)], DFEW)
    for (_, axes, _), frames in zip(
        rows(figure), (shown.frames, shown.frames[:3]), strict=True
    ):
        assert len(axes.images) == len(frames)
    axes = rows(figure)[0][1]
    lefts = [image.get_extent()[0] for image in axes.images]
    assert lefts == sorted(lefts)
    box = axes.get_position()
    width, height = figure.get_size_inches()
    left, right = axes.get_xlim()
    for image, frame in zip(axes.images, shown.frames, strict=True):
        np.testing.assert_array_equal(image.get_array(), frame)
        x0, x1, y0, y1 = image.get_extent()
        inches = (x1 - x0) / (right - left) * box.width * width
        assert inches / ((y1 - y0) * box.height * height) == pytest.approx(1.5)
        assert left <= x0 and x1 <= right


@pytest.mark.parametrize(
    'classes, count, frames, shape',
    [
        (DFEW, 6, 16, (8, 8)),
        (MAFW, 11, 16, (8, 8)),
        (DFEW, 1, 1, (8, 8)),
        (MAFW, 2, 16, (9, 16)),
        (DFEW, 2, 16, (16, 9)),
        (('a', 'b'), 2, 4, (8, 8)),
    ],
)
def test_is_readable(classes, count, frames, shape):
    clips = [
        clip(f'{i:05d}', i % len(classes), logits(0, classes), frames, shape)
        for i in range(count)
    ]
    figure = plot_prediction_strip(clips, classes, title='A run')
    assert_readable(figure)
    assert 'A run' in texts_of(figure)
    # axes are inside the figure and do not overlap
    boxes = [axes.get_position() for axes in figure.axes]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0 and box.x1 <= 1 and box.y0 >= 0 and box.y1 <= 1
        for other in boxes[:i]:
            assert not box.padded(-1e-6).overlaps(other.padded(-1e-6))
    width, height = figure.get_size_inches()
    # enough height for a line of small text per class
    assert boxes[2].height * height / len(classes) > 0.1
    assert width < 18 and height < 2 * count + 2


def test_no_clips_or_frames_raise_an_error():
    with pytest.raises(ValueError, match='no clip'):
        plot_prediction_strip([], DFEW)
    with pytest.raises(ValueError, match='without frames'):
        plot_prediction_strip([clip('1', 0, logits(0), frames=0)], DFEW)


def test_settings_of_matplotlib_are_not_changed():
    before = dict(matplotlib.rcParams)
    plot_prediction_strip([clip('1', 0, logits(0))], DFEW)
    assert dict(matplotlib.rcParams) == before
