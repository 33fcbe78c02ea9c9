"""Show how far a long piece of work is."""

from ...progress import track

__all__ = ['track']
