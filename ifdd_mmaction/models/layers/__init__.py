"""Layers that backbones and necks share: attention, pooling, relative positions."""
