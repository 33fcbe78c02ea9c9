from .ifdd_head import IFDDHead

__all__ = ['IFDDHead']
