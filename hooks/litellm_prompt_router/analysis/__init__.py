"""What traffic costs: ``report`` adds up ledgers, ``simulate`` replays or makes traffic under each policy."""
