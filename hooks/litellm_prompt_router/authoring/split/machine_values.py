"""Finds what in a prompt is of the machine that it was captured on: paths, names of users, hosts and projects.

Such values are found by their form and by the labels in front of them, even where one sample is all there is. Fixed
paths that an agent's text names, such as ``/usr/bin/env``, ``/workspace`` or ``/path/to/file``, aren't among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from litellm_prompt_router.authoring.split.value_kinds import KINDS

_EMAIL = next(kind.pattern for kind in KINDS if kind.name == "email")
_POSIX = next(kind.pattern for kind in KINDS if kind.name == "path" and not kind.pattern.startswith("[A-Za-z]"))
_WINDOWS = r"[A-Za-z]:[\\/][^\s\"'`<>|*?]*[^\s\"'`<>|*?.,;:!]"
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"


class NeutralValue(NamedTuple):
    """What stands in a profile in place of a machine's own value. ``name`` is the slot's."""

    name: str
    text: str
    pattern: str


PATH = NeutralValue("path", "/home/user/project", _POSIX)
WINDOWS_PATH = NeutralValue("windows_path", "C:\\Users\\user\\project", _WINDOWS)
SPACED_PATH = NeutralValue("folder", "/home/user/some project", r"[^\r\n\"'`<>|]+")
PROJECT = NeutralValue("project", "some-project", r"[^\r\n\"'`<>|]+")
USER = NeutralValue("user_name", "some-user", r"[\pL\pN._-]+(?: [\pL\pN.'_-]+){0,3}")
HOST = NeutralValue("host", "some-host", r"[\pL\pN._-]+")
REMOTE = NeutralValue("git_remote", "https://example.com/user/project.git", r"[^\s\"'`<>]+")
EMAIL = NeutralValue("email", "user@example.com", _EMAIL)
ID = NeutralValue("id", "00000000-0000-0000-0000-000000000000", _UUID)
NEUTRAL_VALUES = (PATH, WINDOWS_PATH, SPACED_PATH, PROJECT, USER, HOST, REMOTE, EMAIL, ID)

MIN_NAME_CHARS = 3
_END = r"[^\s\"'`<>|*?,;:()\[\]{}\\]"
_PATHS = re.compile(rf"(?<![\w.<~@)\]}}-])(?:file://)?(/(?:{_END}*[^\s\"'`<>|*?,;:.!()\[\]{{}}\\]))")
_WINDOWS_PATHS = re.compile(r"(?<![\w])([A-Za-z]:[\\/](?:[^\s\"'`<>|*?:]*[^\s\"'`<>|*?.,;:!)\]}]))")
_HOMES = re.compile(r"/(?:home|Users|export/home|mnt/[a-z]/Users|[a-z]/Users)/([^/\s]+)")
_WINDOWS_HOMES = re.compile(r"[A-Za-z]:[\\/]+Users[\\/]+([^\\/\s]+)", re.IGNORECASE)
_MADE_UP = re.compile(
    r"(?:user(?:name)?|your[-_]?(?:user)?name|you|me|name|project|example|someone|somebody|runner|path|dir|folder|x+|"
    r"<.*|\$.*|\{.*|\[.*|%.*|\.+)$",
    re.IGNORECASE,
)
_GENERIC = re.compile(
    r"(?:admin|app|bot|build|ci|code|container|dev|developer|devbox|docker|guest|home|local|node|public|root|runner|shared|"
    r"test|ubuntu|user|vagrant|vscode|work|workspace)\Z",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(r"/(?:private/)?(?:tmp|var/tmp|var/folders|run/user)/")
_MADE_BY_PROGRAM = re.compile(
    rf"{_UUID}|\b[0-9a-f]{{8,}}\b|/tmp[\w]{{5,}}|\d{{4,}}|[._-](?=\w*\d)(?=\w*[a-zA-Z])\w{{6,}}"
)
_FIXED_HOME = re.compile(
    r"/root/(?:$|\.(?:bash\w*|profile|zsh\w*|ssh|aws|config|cache|local|npm\w*|git\w*|docker|kube)(?:/|$))"
)
_FIXED = re.compile(
    r"(?:/workspace|/app|/repo|/testbed|/path|/usr|/bin|/etc|/dev|/proc|/sys|/lib|/absolute|/your)(?:/|$)"
)
_LABELLED_PATH = re.compile(
    r"(?:working[ _-]?dir(?:ectory)?|work[ _-]?dir|\bcwd|\bpwd|current[ _-]dir(?:ectory)?|\bworkspace|worktree"
    r"|(?:project|workspace|repo(?:sitory)?|git)[ _-](?:root|dir(?:ectory)?|path|folder)|home[ _-]dir(?:ectory)?"
    r"|workspace[ _-]folder|installed (?:at|in)|arbeitsverzeichnis|répertoire de travail|directorio de trabajo"
    r"|рабочий каталог|рабочая директория|工作目录|作業ディレクトリ)"
    r"(?:\s+(?:is(?: located)?(?: at| in)?|at|in|path))?(?:\s*\([^)\n/\\]*\))?"
    r"[\"'`*_]*\s*[:=：]?[\"'`*_]*(?:\s+|\s*\()[\"'`]?((?:[/~]|[A-Za-z]:[\\/])[^\r\n\"'`<>|*]*)",
    re.IGNORECASE,
)
_LABELLED_USER = re.compile(
    r"\b(?:user[ _-]?name|git user|login(?: name)?|logged in as|os user|current user|whoami|benutzername"
    r"|用户名|ユーザー名)"
    r"[\"'`*_]*\s*[:=：][\"'`*_]*[ \t]*[\"'`]?([^\W\d_][\w.-]*(?: [A-Z][\w.'-]*){0,2})(?=[\"'`)*_.,;]*[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_LABELLED_HOST = re.compile(
    r"\b(?:host[ _-]?name|host|machine(?: name)?|computer name|node name)[\"'`*_]*\s*[:=：][\"'`*_]*[ \t]*[\"'`]?"
    r"([A-Za-z][\w-]*(?:\.[\w-]+)*)(?=[\"'`*_.,;]*[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_LABELLED_PROJECT = re.compile(
    r"\b(?:project|workspace|repo(?:sitory)?|codebase)(?:[ _-]?name)?[\"'`*_]*\s*[:=：][\"'`*_]*[ \t]*[\"'`]?"
    r"([\w][\w.-]*)(?=[\"'`*_.,;)]*[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_LABELLED_ID = re.compile(
    rf"\b(?:session|conversation|thread|request|run|chat|trace|task)[ _-]?(?:id)?\b[^\r\n]{{0,20}}?({_UUID})",
    re.IGNORECASE,
)
_LABELLED_EMAIL = re.compile(rf"\b(?:user|git|author|e-?mail)\b[^\r\n@]{{0,30}}?(?<![\w.+-])({_EMAIL})", re.IGNORECASE)
_LOGIN = re.compile(r"(?<![\w.+-])([a-z_][\w-]{1,31})@([a-z][\w-]*(?:\.(?:local|lan|internal|home))?):[~/]")
_REMOTES = re.compile(r"(?:git@|ssh://|https?://|git://)[^\s\"'`<>()]+\.git\b")
_EXAMPLE_DOMAIN = re.compile(
    r"(?:^|[@./])(?:example|test|localhost|invalid|domain|company|yourcompany)\b|all-hands\.dev"
)
_MADE_UP_REMOTE = re.compile(r"[:/](?:user(?:name)?|owner|org|your[\w-]*|<[^>]*|example)/", re.IGNORECASE)


class MachineValue(NamedTuple):
    """``[start, end)`` of a text and what takes its place in a profile."""

    start: int
    end: int
    neutral: NeutralValue


def machine_values(text: str) -> tuple[MachineValue, ...]:
    """The machine's own values in a text, in order and without overlaps."""
    found: list[MachineValue] = []
    taken: list[tuple[int, int]] = []
    for value in _candidates(text):
        if not any(start < value.end and value.start < end for start, end in taken):
            taken.append((value.start, value.end))
            found.append(value)
    return tuple(sorted(found))


def _candidates(text: str) -> Iterable[MachineValue]:
    """All of them, the surest first; they may overlap."""
    folders = dict.fromkeys(value for _, _, value in _labelled_paths(text))
    for match in _REMOTES.finditer(text):
        if not _MADE_UP_REMOTE.search(match.group()) and not _EXAMPLE_DOMAIN.search(match.group()):
            yield MachineValue(*match.span(), REMOTE)
    for start, end, value in _labelled_paths(text):
        if " " in value:
            yield MachineValue(start, end, SPACED_PATH)
    users: dict[str, None] = {}
    for match in _WINDOWS_PATHS.finditer(text):
        home = _WINDOWS_HOMES.match(match[1])
        if home is not None and not _MADE_UP.match(home[1]):
            users[home[1]] = None
        if (home is not None and not _MADE_UP.match(home[1])) or _is_below(match[1], folders):
            yield MachineValue(match.start(1), match.end(1), WINDOWS_PATH)
    for match in _PATHS.finditer(text):
        path = match[1]
        home = _HOMES.match(path)
        if home is not None and not _MADE_UP.match(home[1]):
            users[home[1]] = None
        if _is_of_machine(path) or _is_below(path, folders):
            yield MachineValue(match.start(1), match.end(1), PATH)
    names = {_base(folder) for folder in folders} | {_base(m[1]) for m in _PATHS.finditer(text) if _is_of_machine(m[1])}
    yield from _names(text, users, names)


def _labelled_paths(text: str) -> list[tuple[int, int, str]]:
    """``(start, end, path)`` of folders that a label calls the working directory, or the like."""
    out: list[tuple[int, int, str]] = []
    for match in _LABELLED_PATH.finditer(text):
        value = re.split(r"(?:\s[(\[]|\s+[-–—]\s|\. |, |; )", match[1], maxsplit=1)[0].rstrip(" .,;:)]}")
        words = value.split()
        if len(words) > 1 and not re.search(r"[\\/]", words[-1]):  # prose behind a path
            value = words[0].rstrip(".,;:)]}")
        if len(value) > 1 and not _FIXED.match(value) and not _is_made_up_path(value):
            out.append((match.start(1), match.start(1) + len(value), value))
    return out


def _is_made_up_path(path: str) -> bool:
    home = _HOMES.match(path) or _WINDOWS_HOMES.match(path)
    return home is not None and bool(_MADE_UP.match(home[1]))


def _is_of_machine(path: str) -> bool:
    """True for a path below somebody's home or a temporary folder that a program made, and for one with an id in it."""
    home = _HOMES.match(path)
    if home is not None:
        return not _MADE_UP.match(home[1])
    if path.startswith("/root/"):
        return not _FIXED_HOME.match(path)
    if _TEMPORARY.match(path):
        return _MADE_BY_PROGRAM.search(path) is not None or path.startswith("/var/folders/")
    return not _FIXED.match(path) and re.search(_UUID, path) is not None


def _is_below(path: str, folders: Iterable[str]) -> bool:
    plain = path.replace("\\", "/").lower().rstrip("/")
    for folder in folders:
        own = folder.replace("\\", "/").lower().rstrip("/")
        if own and (plain == own or plain.startswith(f"{own}/")):
            return True
    return False


def _base(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def _names(text: str, users: Iterable[str], names: Iterable[str]) -> Iterable[MachineValue]:
    """Names of users, hosts and projects where a label says what they are, and ids and addresses with such a label."""
    for match in _LOGIN.finditer(text):
        yield MachineValue(match.start(1), match.end(1), USER)
        yield MachineValue(match.start(2), match.end(2), HOST)
    for match in _LABELLED_USER.finditer(text):
        if not _MADE_UP.match(match[1]):
            yield MachineValue(match.start(1), match.end(1), USER)
    for match in _LABELLED_HOST.finditer(text):
        if match[1].lower() != "localhost" and ("-" in match[1] or any(c.isdigit() for c in match[1])):
            yield MachineValue(match.start(1), match.end(1), HOST)
    projects = {name for name in names if name}
    for match in _LABELLED_PROJECT.finditer(text):
        if match[1] in projects or any(match[1] in re.split(r"[\\/]", name) for name in projects):
            yield MachineValue(match.start(1), match.end(1), PROJECT)
    for match in _LABELLED_ID.finditer(text):
        yield MachineValue(match.start(1), match.end(1), ID)
    for match in _LABELLED_EMAIL.finditer(text):
        if not _EXAMPLE_DOMAIN.search(match[1]):
            yield MachineValue(match.start(1), match.end(1), EMAIL)
    for name in users:
        if len(name) >= MIN_NAME_CHARS and not _GENERIC.match(name):
            for match in re.finditer(rf"(?<![\w./\\-]){re.escape(name)}(?![\w/\\-])", text):
                yield MachineValue(*match.span(), USER)
