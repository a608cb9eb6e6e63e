"""Benchmarks: run side by side in processes of their own, kept as JSON lines with their provenance, shown as a page."""
