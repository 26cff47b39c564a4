"""Segments as bytes under a name; no Django, and no idea of what the bytes mean."""
