from .pyramid_mvit import PyramidMViT

__all__ = ['PyramidMViT']
