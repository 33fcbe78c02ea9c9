"""Which instructions for bfloat16 this processor has."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import torch

#: Instructions that multiply bfloat16: of x86, and of ARM.
BF16 = frozenset(('avx512_bf16', 'amx_bf16', 'bf16'))
#: Values of $ONEDNN_MAX_CPU_ISA with which oneDNN uses none of them.
WITHOUT_BF16 = (
    'SSE41', 'AVX', 'AVX2', 'AVX2_VNNI', 'AVX2_VNNI_2', 'AVX512_CORE',
    'AVX512_CORE_VNNI',
)  # fmt: skip


@lru_cache
def bf16_instructions() -> frozenset[str]:
    """Return those of ``avx512_bf16``, ``amx_bf16`` and ``bf16`` (ARM) that are used.

    It is empty where oneDNN, through which PyTorch multiplies on a CPU, is absent or
    held back from them by ``$ONEDNN_MAX_CPU_ISA``, and where nothing is known.
    """
    limit = os.environ.get('ONEDNN_MAX_CPU_ISA', '').upper()
    if (
        limit in WITHOUT_BF16
        or not torch.backends.mkldnn.is_available()
        or not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    ):
        return frozenset()
    return BF16 & _capabilities()


def _capabilities() -> frozenset[str]:
    if hasattr(torch.cpu, 'get_capabilities'):  # not in PyTorch 2.4
        found = torch.cpu.get_capabilities()
        return frozenset(name for name, there in found.items() if there)
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:  # not Linux
        return frozenset()
    # x86 writes flags, ARM Features, both by the names that PyTorch has.
    flags = [li for li in lines if li.startswith(('flags', 'Features'))]
    return frozenset(flags[0].split(':')[1].split()) if flags else frozenset()
