"""From an agent's traffic, or its prompt alone, to a verdict: what there is to win, what it takes, whether to bother.

``input_kind`` tells the two apart, ``conversation_needs`` what the captured conversations turned out to need,
``replayed_costs`` and ``made_costs`` account, ``left_out`` and ``trial_fit`` say what would become of real messages,
``verdict`` concludes, ``verdict_page`` shows it. ``findings`` is what they hand to each other.
"""
