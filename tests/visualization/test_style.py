import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from ifdd_mmaction.visualization import save_figure


def test_png_has_the_size_of_the_figure(tmp_path):
    figure = Figure(figsize=(6, 4))
    figure.add_subplot().plot([0, 1])
    path = tmp_path / 'deep' / 'a.png'
    save_figure(figure, path, dpi=50)
    assert path.read_bytes().startswith(b'\x89PNG\r\n\x1a\n')
    image = cv2.imread(str(path))
    assert image.shape == (200, 300, 3)
    assert (image[:3] == 255).all() and np.ptp(image) > 150


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(b'old')
    figure = Figure()
    figure.text(0, 0, '$\\nosuchcommand$')
    with pytest.raises(ValueError):
        save_figure(figure, path)
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]
