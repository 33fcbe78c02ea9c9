"""Depthwise pooling of tokens, the operator of MViT's attention.

:mod:`.pool` is what models call, :mod:`.operators` what PyTorch knows, and
:mod:`.choice` picks what computes it: Triton, oneDNN or PyTorch's own convolution.
"""

from .choice import using
from .pool import depthwise_pool

__all__ = ['depthwise_pool', 'using']
