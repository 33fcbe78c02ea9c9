"""PyAV, where it is installed: else ``av`` is None."""

from typing import Any

av: Any
try:
    import av
except ImportError:
    av = None
