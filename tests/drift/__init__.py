"""Drift: matching, layout, update."""
