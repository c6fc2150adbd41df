"""A running deployment, looked at from outside: ``doctor`` examines its configuration, ``workers`` its processes."""
