"""Files of the scores of a few clips each, so that a long test can be interrupted."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..fileio import write_atomic

SETTINGS = 'settings.json'

#: Arrays of a clip by name.
Row = dict[str, np.ndarray]


class ScoreParts:
    """Arrays of clips, by name, in files of ``size`` clips.

    A name that a file lacks, for instance of a variant that was not tested before, can
    be added to it later.

    Args:
        folder: Of the files.
        clips: Number of clips N.
        size: Clips of a file.
        facts: What the arrays depend on, as JSON has it.

    Raises:
        InputError: If the folder has arrays with other facts.
    """

    def __init__(
        self, folder: Path, clips: int, size: int, facts: Mapping[str, Any]
    ) -> None:
        self.folder, self.clips, self.size = folder, clips, size
        self._begin(json.loads(json.dumps(facts)))
        self._parts = [self._read(start) for start in range(0, clips, size)]
        self._rows: list[Row] = []

    def _begin(self, facts: dict[str, Any]) -> None:
        path = self.folder / SETTINGS
        if not path.is_file():
            write_atomic(path, json.dumps(facts, indent=1).encode())
            return
        found = json.loads(path.read_bytes())
        if differing := sorted(k for k in facts if found.get(k) != facts[k]):
            raise InputError(
                f'{self.folder} has scores of another {", ".join(differing)}: use '
                'another --out, or remove that folder'
            )

    def missing(self, index: int, names: Sequence[str]) -> list[str]:
        """Return which names the file of a clip lacks."""
        part = self._parts[index // self.size]
        return [name for name in names if name not in part]

    def add(self, index: int, row: Row) -> None:
        """Add a clip; clips of a file come in order, and its last one writes it."""
        self._rows.append(row)
        if index + 1 == self.clips or (index + 1) % self.size == 0:
            part = self._parts[index // self.size]
            part |= {name: np.stack([r[name] for r in self._rows]) for name in row}
            data = io.BytesIO()
            np.savez(data, **part)  # type: ignore[arg-type]
            write_atomic(self._path(index - index % self.size), data.getvalue())
            self._rows = []

    def __contains__(self, name: str) -> bool:
        return all(name in part for part in self._parts)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the array of all clips, ``(N, ...)``."""
        return np.concatenate([part[name] for part in self._parts])

    def _path(self, start: int) -> Path:
        return self.folder / f'{start:06d}.npz'

    def _read(self, start: int) -> Row:
        path = self._path(start)
        if not path.is_file():
            return {}
        with np.load(path, allow_pickle=False) as part:
            return dict(part)
