"""Text, YAML and JSON Lines -> values. Whatever is wrong with a file is a configuration problem that names its path."""
