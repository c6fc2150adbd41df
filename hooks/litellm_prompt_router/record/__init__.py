"""The facts of one request: what the walk decided (``facts``), and the finished record that every sink gets."""
