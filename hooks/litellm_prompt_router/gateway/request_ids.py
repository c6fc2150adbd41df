"""Ids that are one request's alone and that nobody can guess.

Made without asking the system for random bytes each time: while it answers, another thread may take the interpreter for
milliseconds. A process that forks goes on with the same key and count, hence its number in what is hashed.
"""

from __future__ import annotations

import itertools
import os
from hashlib import blake2b

_KEY = os.urandom(32)
_COUNT = itertools.count()


def new_id() -> str:
    """32 hexadecimal digits in the form of a random UUID."""
    made = blake2b(b"%d:%d" % (os.getpid(), next(_COUNT)), key=_KEY, digest_size=16).hexdigest()
    return f"{made[:12]}4{made[13:16]}{'89ab'[int(made[16], 16) % 4]}{made[17:]}"
