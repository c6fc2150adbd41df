"""What this process keeps in memory between requests, and how much of each at most."""
