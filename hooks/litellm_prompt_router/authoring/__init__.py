"""Making, teaching and checking profiles: split, learn, drift, examples, fit, evaluate, check."""
