"""Counting the operations of a model."""

from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


class _Tensors(nn.Module):
    """Returns the tensors alone of what a model returns."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Any) -> list[Tensor]:
        """Run the model."""
        leaves = tree_leaves(self.model(*inputs))
        return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def count_beside_numbers() -> None:
    """MMEngine traces a model to count it, and a number that it returns is refused.

    ``Recognizer2D`` returns one behind any neck, that of segments, so that MMAction2's
    ``get_flops.py`` cannot count its own TPN. No issue names that cause.
    """
    from mmengine.analysis import jit_analysis

    upstream = jit_analysis._get_trace_graph
    if upstream.__module__ == __name__:
        return

    def trace(model: nn.Module, inputs: Any) -> Any:
        return upstream(_Tensors(model), inputs)

    jit_analysis._get_trace_graph = trace
