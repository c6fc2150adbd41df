"""Reads files as text, YAML and JSON Lines. What is wrong with one is a ConfigurationError that names it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.problems import explain_validation_error

Line = TypeVar("Line", bound=BaseModel)

MAX_FILE_BYTES = 4_000_000
"""Ten times the longest prompt seen in the wild; a larger file is a mistake, not a profile."""


def read_text(path: Path, where: str, max_bytes: int = MAX_FILE_BYTES) -> str:
    """The file's exact text, line endings as they are. Raises ConfigurationError naming ``where``."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe would block, a device never end
            raise ConfigurationError([f"{where}: not a regular file; is this the right one?"])
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
        if len(raw) > max_bytes:
            raise ConfigurationError([f"{where}: larger than {max_bytes:,} bytes; is this the right file?"])
        return raw.decode("utf-8")
    except OSError as error:
        raise ConfigurationError([f"{where}: can't be read ({error.strerror}); create it or fix the path"]) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{where}: not UTF-8 at byte {error.start}; convert it"]) from None


def read_inside(folder: Path, name: str, where: str) -> str:
    """A module file's text. Raises ConfigurationError also for a path that leaves the profile's folder."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise ConfigurationError([f"{where}: {name}: outside the profile's folder; move the file into it"])
    if not name.isprintable():
        raise ConfigurationError([f"{where}: {name!r}: not a file name; use printable characters"])
    return read_text(folder / pure, f"{where}: {name}")


MAX_YAML_DEPTH = 40


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may stand only once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is not None and name in seen:
                problem = f"{name!r} is there twice; keep one"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _is_too_deep(raw: str) -> bool:
    """True when PyYAML, whose time goes with the square of the depth, had better not read it."""
    depth = 0
    try:
        for event in yaml.parse(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_YAML_DEPTH:
                return True
    except (yaml.YAMLError, ValueError):
        return False  # reading it whole says what is wrong
    return False


def parse_yaml(raw: str, where: str) -> object:
    """The document. Raises ConfigurationError naming ``where``; aliases count as wrong, since they can explode."""
    if _is_too_deep(raw):
        raise ConfigurationError([f"{where}: nested more than {MAX_YAML_DEPTH} deep; is this the right file?"])
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(raw, Loader=yaml.SafeLoader)):
            raise ConfigurationError([f"{where}: YAML aliases (*name) are not allowed; write the value out"])
        return yaml.load(raw, Loader=_Loader)  # noqa: S506  (a SafeLoader of our own)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" at line {mark.line + 1}" if mark else ""
        raise ConfigurationError([f"{where}: not valid YAML{line}: {error.problem}"]) from None
    except (yaml.YAMLError, RecursionError):
        raise ConfigurationError([f"{where}: not valid YAML"]) from None
    except ValueError as error:  # a date that isn't one, a number without end
        raise ConfigurationError([f"{where}: not valid YAML: {error}"]) from None


def parse_json_lines(
    text: str,
    where: str,
    model: type[Line],
    *,
    what: str,
    problems_of: Callable[[Line], Iterable[str]] = lambda _: (),
) -> list[tuple[int, Line]]:
    """``(line number from 1, line)``, empty ones left out. Raises ConfigurationError with every problem.

    ``what`` a line holds, such as "call"; ``problems_of`` finds what the model can't see.
    """
    problems: list[str] = []
    lines: list[tuple[int, Line]] = []
    for number, line in each_json_line(text.split("\n"), where, model, problems):
        problems.extend(f"{where}: line {number}: {problem}" for problem in problems_of(line))
        lines.append((number, line))
    if not lines and not problems:
        problems.append(f"{where}: holds no {what}; a {what} is a line of JSON")
    if problems:
        raise ConfigurationError(problems)
    return lines


def each_json_line(
    lines: Iterable[str], where: str, model: type[Line], problems: list[str]
) -> Iterator[tuple[int, Line]]:
    """``(line number from 1, line)`` as they are read; those that aren't one are added to ``problems``."""
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        at = f"{where}: line {number}"
        try:
            document = json.loads(raw)
            if not isinstance(document, dict):
                problems.append(f"{at}: must be a JSON object")
                continue
            line = model.model_validate(document)
        except ValidationError as error:
            problems.extend(explain_validation_error(error, at, model))
        except json.JSONDecodeError as error:
            problems.append(f"{at}: not valid JSON at column {error.colno}: {error.msg}")
        except RecursionError:
            problems.append(f"{at}: nested too deeply")
        else:
            yield number, line
