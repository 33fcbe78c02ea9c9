import numpy as np
import pytest

from ifdd_mmaction.visualization import ClipTiming, plot_split_timing


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
