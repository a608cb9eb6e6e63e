"""Architectures, one folder each, found by the entry-point group ``invr.models``."""
