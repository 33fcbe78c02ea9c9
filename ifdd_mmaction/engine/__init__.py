"""What MMEngine's training lacks, registered in ``mmaction.registry``."""

from . import hooks

__all__ = ['hooks']
