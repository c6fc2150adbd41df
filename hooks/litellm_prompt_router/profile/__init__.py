"""What is known of one agent's prompt: modules, slots, what was fitted, and what its agent puts around messages."""
