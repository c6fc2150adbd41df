"""The caching model against the providers' documentation, and the emulated providers that use it."""
