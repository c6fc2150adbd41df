"""Odd requests and odd answers by the hundred thousand, with the laws as their judge: ``python -m tests.fuzz``."""
