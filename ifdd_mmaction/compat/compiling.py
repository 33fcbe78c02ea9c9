"""Corrections of compiled training."""

from typing import Any

from mmengine.config import ConfigDict
from torch import nn


def compile_block_by_block() -> None:
    """Let ``compile=True`` compile the blocks of a model (mmengine#976).

    MMEngine compiles ``train_step``, preprocessing and optimizer included: where a step
    of Python breaks it into pieces there is a graph for each, and every block of a
    backbone is compiled again, which takes minutes.
    """
    from mmengine.runner import Runner

    def maybe_compile(self: Runner, target: str) -> None:
        from ..engine.compilation import compile_regions

        options: Any = self.cfg.get('compile')
        if options is None or options is False:
            return
        options = {} if options is True else ConfigDict(options).to_dict()
        names = compile_regions(self.model, **options)
        self.logger.info(
            f'compiled for training: {", ".join(names)}. The first iteration takes '
            'longer'
        )

    Runner._maybe_compile = maybe_compile


def take_numbers_as_probabilities() -> None:
    """Let mmcv's DropPath keep its probability as a Python number.

    MMAction2's backbones give NumPy's, of ``numpy.linspace``, with which
    ``torch.compile`` breaks the graph or makes NumPy a part of it. The values, and what
    is drawn, are the same.
    """
    from mmcv.cnn.bricks import DropPath

    upstream = DropPath.__init__
    if upstream.__module__ == __name__:
        return

    def __init__(self: nn.Module, drop_prob: float = 0.1) -> None:
        upstream(self, float(drop_prob))

    DropPath.__init__ = __init__
