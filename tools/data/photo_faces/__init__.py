"""Clips of photographed people with expressions: the parts of make_photo_faces.py."""
