"""Changes a policy file and keeps its comments, its order and its permissions.

The folder is locked while a file in it is changed, so that two commands at once both take effect. A file is replaced
in one step, behind links too; one that is a mount point of its own can't be, and is written in place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_yaml, read_text
from litellm_prompt_router.policy.policy_file import MATCHERS, MAX_POLICY_BYTES, BrokenPolicyError, parse_policy

HEADING = "# Who gets rewritten prompts: the first rule that matches counts. Running proxies take changes over.\n"
NEW_FILE_MODE = 0o644
Whom = Literal["keys", "teams"]
Edit = Callable[[CommentedMap], None]


def set_stop(path: Path, stop: bool) -> bool:
    """Writes the switch; makes the file if there is none. Returns whether it had to be changed.

    Works on a file that is otherwise broken, as long as it is YAML. Raises ConfigurationError.
    """

    def edit(document: CommentedMap) -> None:
        if "stop" in document:
            document["stop"] = stop
        else:
            document.insert(0, "stop", stop)

    return _change_file(path, edit, must_be_valid=False)


def set_rule(
    path: Path,
    whom: Whom,
    name: str,
    *,
    mode: Literal["rewrite", "off"],
    percent: float = 100.0,
    until: datetime | None = None,
    router_model: bool | None = None,
) -> bool:
    """Sets the mode of one key or team in the rule that is for it alone, or in a new one ahead of all others.

    ``router_model``: whether a routing model is asked; None leaves what the rule says of that.
    Returns whether something had to be changed. Raises ConfigurationError, and then nothing is written.
    """

    def edit(document: CommentedMap) -> None:
        rules = document.get("rules")
        if not isinstance(rules, list):
            rules = document["rules"] = CommentedSeq()
        rule = next((rule for rule in rules if _is_for(rule, whom, name)), None)
        if rule is None:
            rule = CommentedMap({whom: _flow([_literal(name)])})
            _put_first(document, rules, rule)
        _set(rule, "mode", DoubleQuotedScalarString(mode) if mode == "off" else mode)
        if mode == "rewrite":
            _set(rule, "percent", int(percent) if float(percent).is_integer() else percent)
        if router_model is not None:
            _set(rule, "router_model", router_model)
        if until is not None or "until" in rule:
            _set(rule, "until", None if until is None else until.isoformat())

    return _change_file(path, edit, must_be_valid=True)


def _set(rule: CommentedMap, field: str, value: object) -> None:
    """Sets a field; a new one goes ahead of the last, which holds the comments behind the rule."""
    if field in rule:
        rule[field] = value
    else:
        rule.insert(max(1, len(rule) - 1), field, value)


def _literal(name: str) -> str:
    """The name, if as a pattern it matches nothing else. Raises ConfigurationError."""
    if "*" in name or "?" in name:
        raise ConfigurationError([f"{name}: has a `*` or `?`, which match more than one; write such a rule by hand"])
    return name


def _is_for(rule: object, whom: Whom, name: str) -> bool:
    """True when this name is all that the rule matches by."""
    if not isinstance(rule, dict):
        return False
    stated = [field for field in MATCHERS if rule.get(field) is not None]
    return stated == [whom] and list(rule[whom]) == [name]


def _put_first(document: CommentedMap, rules: CommentedSeq, rule: CommentedMap) -> None:
    """Inserts the rule ahead of all others. A comment over the rule that was first stays over it."""
    rules.insert(0, rule)
    comment = document.ca.items.pop("rules", None)
    if comment is not None and len(rules) > 1:
        kept = comment[3] if len(comment) > 3 else None
        if kept:
            rules.ca.items.setdefault(1, [None, None, None, None])[1] = kept
            comment[3] = None
        document.ca.items["rules"] = comment


def _flow(names: list[str]) -> CommentedSeq:
    listed = CommentedSeq(names)
    listed.fa.set_flow_style()
    return listed


# The file


def _change_file(path: Path, edit: Edit, *, must_be_valid: bool) -> bool:
    try:
        target = path.resolve()
        with _locked(target.parent):
            raw = read_text(target, str(path), MAX_POLICY_BYTES) if target.exists() else ""
            changed = _edited_text(raw, str(path), edit)
            if changed == raw:
                return False
            _check(changed, str(path), must_be_valid=must_be_valid)
            _write(target, changed.encode("utf-8"))
            return True
    except OSError as error:
        hint = "make the change where the file comes from" if error.errno == errno.EROFS else "is it yours to change?"
        raise ConfigurationError([f"{path}: can't be written ({error.strerror}); {hint}"]) from None


def _edited_text(raw: str, where: str, edit: Edit) -> str:
    parse_yaml(raw, where)  # raises our own words for what is wrong, and refuses aliases
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4_096
    dashes = [line for line in raw.splitlines() if line.lstrip().startswith("- ")]
    indent = len(dashes[0]) - len(dashes[0].lstrip()) if dashes else 2
    yaml.indent(mapping=2, sequence=indent + 2, offset=indent)
    try:
        document = yaml.load(raw)
        if document is None:
            document = CommentedMap()
        if not isinstance(document, CommentedMap):
            raise ConfigurationError([f"{where}: must be a mapping; correct it"])
        is_bare = not document
        edit(document)
        out = io.StringIO()
        yaml.dump(document, out)
    except (YAMLError, ValueError) as error:
        raise ConfigurationError([f"{where}: can't be changed ({type(error).__name__}); correct it by hand"]) from None
    if not is_bare:
        return out.getvalue()
    comments = raw if raw.strip().startswith("#") else HEADING
    return f"{comments.rstrip()}\n{out.getvalue()}"


def _check(text: str, where: str, *, must_be_valid: bool) -> None:
    """Raises ConfigurationError for what running proxies wouldn't take over."""
    try:
        parse_policy(text, where, None)
    except BrokenPolicyError:
        if must_be_valid or not isinstance(parse_yaml(text, where), dict):
            raise


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(target: Path, raw: bytes) -> None:
    """Replaces the file in one step, where the file system can."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        before = target.stat() if target.exists() else None
        Path(name).chmod(before.st_mode & 0o7777 if before is not None else NEW_FILE_MODE)
        if before is not None:
            with contextlib.suppress(OSError):
                os.chown(name, before.st_uid, before.st_gid)
        try:
            Path(name).replace(target)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            target.write_bytes(raw)
    finally:
        Path(name).unlink(missing_ok=True)
