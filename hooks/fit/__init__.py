"""Fitting: from examples and labelled messages to a score table, a gate and a calibrated threshold."""
