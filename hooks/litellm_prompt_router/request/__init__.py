"""The pure walk of one request: read, recognise, route, gate the cost, compose, place breakpoints, write.

``pipeline`` knows the order, ``types`` what one step hands to the next.
"""
