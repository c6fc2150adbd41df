"""What is known of one agent's prompt: its modules and slots, what was fitted for it, what its agent adds to messages."""
