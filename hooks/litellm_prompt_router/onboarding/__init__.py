"""From an agent's traffic, or its prompt alone, to a verdict: what there is to win, what it takes, whether to bother.

``input_kind`` tells the two apart, ``taken_traffic`` which calls can be replayed, ``conversation_needs`` what the
captured conversations turned out to need, ``replayed_costs`` and ``made_costs`` account, ``believed_replay`` has the
cost gate believe it, ``unreplayed_sizes`` measures the other calls,
``left_out`` and ``trial_fit`` say what would become of real messages,
``verdict`` concludes, ``verdict_page`` shows it. ``findings`` is what they hand to each other.
"""
