"""Where finished records go: one file for each destination. Sinks never raise."""
