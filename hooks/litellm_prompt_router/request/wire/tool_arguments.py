"""The arguments of a tool call, as text that routing may read: the beginning of what the model wrote."""

from __future__ import annotations

from collections.abc import Iterator

MAX_ARGUMENT_CHARS = 200
"""Of one call's arguments. What a call is about stands at their beginning; a whole file may stand behind it."""
MAX_VALUES = 60
"""Names and values that are read of arguments which come as an object."""


def argument_text(arguments: object) -> str:
    """The beginning of a call's arguments. They come as JSON text, or as an object, of which names and texts are read.

    The time it takes doesn't depend on how long they are: every call sends all earlier ones again.
    """
    if isinstance(arguments, str):
        return arguments[:MAX_ARGUMENT_CHARS]
    texts: list[str] = []
    room, left = MAX_ARGUMENT_CHARS, MAX_VALUES
    for text in _texts(arguments):
        left -= 1
        texts.append(text[:room])
        room -= len(texts[-1]) + 1
        if room <= 0 or left == 0:
            break
    return " ".join(texts)


def _texts(value: object) -> Iterator[str]:
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for name, inner in reversed(list(value.items())[:MAX_VALUES]):
                todo += (inner, name)
        elif isinstance(value, list):
            todo += reversed(value[:MAX_VALUES])
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield str(value)
