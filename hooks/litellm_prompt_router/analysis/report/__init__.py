"""Ledger files -> what finance asks of them: frames, figures, the control group's comparison, and a page."""
