"""What the operator states, on disk and in the environment, and what of it is in force."""
