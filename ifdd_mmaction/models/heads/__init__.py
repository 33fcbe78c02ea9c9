"""The head that classifies the disentangled dynamics."""

from .ifdd_head import IFDDHead

__all__ = ['IFDDHead']
