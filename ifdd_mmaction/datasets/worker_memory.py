"""What the workers of a data loader do with the memory that they inherit."""

from __future__ import annotations

import ctypes
import functools


@functools.cache
def return_free_memory() -> bool:
    """Return the free parts of this process's heap to the system, once.

    A worker is forked from the training process, with tens of megabytes that were free
    there. They are shared at first, but what either process writes there becomes a page
    of its own, and is never given back.

    Returns:
        Whether the C library can (glibc); others keep no such heap.
    """
    libc = ctypes.CDLL(None)
    return hasattr(libc, 'malloc_trim') and bool(libc.malloc_trim(0))
