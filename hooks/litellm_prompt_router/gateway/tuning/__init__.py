"""Tuning that goes on by itself: which worker does it, when, and by which tuning each conversation goes."""
