"""Shared functions of the tests of figures."""

from itertools import combinations
from unittest import mock

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

DFEW = ('happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear')
MAFW = (
    'anger',
    'disgust',
    'fear',
    'happiness',
    'neutral',
    'sadness',
    'surprise',
    'contempt',
    'anxiety',
    'helplessness',
    'disappointment',
)


def texts_of(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


def assert_readable(figure: Figure) -> None:
    """Fail if a text is outside the figure, or horizontal texts overlap."""
    canvas = FigureCanvasAgg(figure)
    # Tick labels outside the limits exist but are not drawn.
    with mock.patch.object(Text, 'draw', autospec=True, side_effect=Text.draw) as draw:
        canvas.draw()
    drawn = {id(call.args[0]): call.args[0] for call in draw.call_args_list}
    renderer = canvas.get_renderer()
    boxes = []
    for text in drawn.values():
        if not text.get_text() or not text.get_visible():
            continue
        box = text.get_window_extent(renderer)
        place = (text.get_text(), box.bounds, figure.bbox.bounds)
        assert box.x0 >= -1 and box.x1 <= figure.bbox.width + 1, place
        assert box.y0 >= -1 and box.y1 <= figure.bbox.height + 1, place
        if text.get_rotation() in (0, 90):
            boxes.append((text.get_text(), box.padded(-1)))
    assert len(boxes) > 3
    for (one, a), (other, b) in combinations(boxes, 2):
        assert not a.overlaps(b), (one, other)
