import numpy as np
import pytest

from ifdd_mmaction.visualization import (
    ClipSplit,
    ClipTiming,
    plot_clip_split,
    plot_split_timing,
)


def test_each_clip_has_a_curve_and_markers():
    clips = [
        ClipTiming(f'clip {i}', np.linspace(0, 1, 8), [0.5, i], [i + 0.5], [1, 3, 5])
        for i in range(3)
    ]
    figure = plot_split_timing(clips)
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title('left') for axes in shown] == ['clip 0', 'clip 1', 'clip 2']
    for i, axes in enumerate(shown):
        curve = axes.lines[0].get_ydata()
        np.testing.assert_allclose(curve, clips[i].envelope)
        marks = [c for c in axes.collections if hasattr(c, 'get_positions')]
        found = [sorted(c.get_positions()) for c in marks]
        assert found == [sorted([0.5, i]), [i + 0.5], [1, 3, 5]]
    figure.draw_without_rendering()


def test_no_clips_raise_an_error():
    with pytest.raises(ValueError, match=r'clips=\[\]'):
        plot_split_timing([])


def test_a_matrix_has_its_place_only_where_a_clip_has_one():
    frames = np.zeros((8, 8, 8, 3), np.uint8)
    even, odd = np.r_[0:8:2], np.r_[1:8:2]
    clip = ClipSplit('anna', frames, even, odd, (even, odd))
    correlated = clip._replace(correlation=np.eye(8))
    figures = [plot_clip_split(clips) for clips in ([clip], [clip, correlated])]
    widths = [figure.get_figwidth() for figure in figures]
    assert widths[0] < widths[1]
    # Every part lies within the picture.
    for figure in figures:
        boxes = np.array([axes.get_position().extents for axes in figure.axes])
        assert boxes.min() >= 0 and boxes.max() <= 1
