"""Routing: which modules a conversation needs, and why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from litellm_prompt_router.request.route import Router, check_trigger
from litellm_prompt_router.request.route.triggers import HEAD_CHARS, TAIL_CHARS
from litellm_prompt_router.request.types import Evidence, RoutingDecision, Turn
from tests.made_profiles import module, profile

OFFICE = profile(
    module("core", "Core, für 数据 und 写真のラベル.\n", always=True, tools=["ask"]),
    module(
        "files",
        "Files.\n",
        triggers=["file*", "attachment:file", "löschen"],
        tools=["read_file", "write_file"],
        optional=True,
    ),
    module(
        "git",
        "Git.\n",
        triggers=["branch", "branches", "pull request*", "merge"],
        requires=["files"],
        tools=["git"],
        optional=True,
    ),
    module("charts", "Charts.\n", triggers=["chart", "pie chart*", "diagramm*"], requires=["data"], optional=True),
    module(
        "data",
        "Data.\n",
        triggers=["csv", "数据", "größe", "attachment:any"],
        requires=["files"],
        tools=["load"],
        optional=True,
    ),
    module("images", "Images.\n", triggers=["attachment:image", "photo*", "写真"], optional=True),
    module("replies", "Replies.\n", always=True),
    name="office",
)
"""A person marked all but the core as optional, so that triggers and tool calls alone select."""
ROUTER = Router(OFFICE)
UNMARKED = Router(replace(OFFICE, modules=tuple(replace(each, optional=False) for each in OFFICE.modules)))
"""The same where nobody did."""
CORE = {"core", "replies"}
EVERYTHING = {module.id for module in OFFICE.modules}


def user(text: str, *attachments: str) -> Turn:
    return Turn(role="user", text=text, attachments=attachments)


def called(*tools: str) -> Turn:
    return Turn(role="assistant", text="", tool_calls=tools)


def decided(*turns: Turn | str) -> RoutingDecision:
    return ROUTER.decide([user(turn) if isinstance(turn, str) else turn for turn in turns])


def extra(decision: RoutingDecision) -> set[str]:
    """What was selected beyond the core."""
    assert set(decision.modules) >= CORE
    return set(decision.modules) - CORE


def why(decision: RoutingDecision) -> dict[str, tuple[str, str | None, bool]]:
    return {e.module: (e.kind, e.detail, e.late) for e in decision.selected}


# Triggers

TRIGGERS = {
    "a word": ("merge it", {"git", "files"}),
    "a word in a sentence": ("Please make me a chart of it.", {"charts", "data", "files"}),
    "not inside a longer word": ("flowcharting submerged bits", None),
    "not the beginning of a longer word": ("charter merger", None),
    "any ending": ("the filename of it", {"files"}),
    "ending may be empty": ("this FILE here", {"files"}),
    "not in the middle of a word": ("my profile picture", None),
    "capital letters": ("MERGE THE BRANCH", {"git", "files"}),
    "phrase": ("open a Pull Request for it", {"git", "files"}),
    "phrase with an ending": ("two pull requests wait", {"git", "files"}),
    "phrase over a hyphen": ("a pull-request", {"git", "files"}),
    "phrase over a line end": ("a pull\nrequest", {"git", "files"}),
    "phrase not over other words": ("pull the request", None),
    "phrase cut off": ("just pull", None),
    "underscores part words": ("rename old_branch_name", {"git", "files"}),
    "hyphens part words": ("rename old-branch-name", {"git", "files"}),
    "punctuation": ("(branch)!", {"git", "files"}),
    "dots part words": ("load orders.csv", {"data", "files"}),
    "in a path": ("/srv/branch/x", {"git", "files"}),
    "in a url": ("https://example.org/branches?id=1", {"git", "files"}),
    "digits don't part words": ("branch2", None),
    "umlaut": ("bitte alles LÖSCHEN", {"files"}),
    "decomposed umlaut": ("bitte alles lo\u0308schen", {"files"}),
    "sharp s": ("nach GRÖSSE sortieren", {"data", "files"}),
    "sharp s as it stands": ("nach der Größe", {"data", "files"}),
    "capital sharp s": ("nach der GRÖẞE", {"data", "files"}),
    "full-width letters": ("ｂｒａｎｃｈ please", {"git", "files"}),
    "ligature": ("open the ﬁle", {"files"}),
    "German compound": ("ein Diagrammtyp", {"charts", "data", "files"}),
    "Han without spaces": ("请把数据整理一下", {"data", "files"}),
    "kana and Han without spaces": ("この写真を明るくして", {"images"}),
    "Latin word in Han text": ("把 branch 合并", {"git", "files"}),
    "Latin word glued to Han text": ("合并branch吧", {"git", "files"}),
    "two at once": ("merge the photos", {"git", "files", "images"}),
    "emoji around": ("🚀branch🚀", {"git", "files"}),
    "no-break space in a phrase": ("pull\u00a0request", {"git", "files"}),
    "zero-width space in a word": ("bran\u200bch", None),
}


@pytest.mark.parametrize(("text", "expected"), TRIGGERS.values(), ids=TRIGGERS.keys())
def test_triggers_select_modules_and_what_they_require(text: str, expected: set[str] | None) -> None:
    """``None``: a task in which nothing is known. What nobody marked optional is there whatever triggers find."""
    decision = decided(text)
    assert extra(decision) == (expected or set())
    assert not decision.is_fallback
    assert decision.message_kind == "task"
    unmarked = UNMARKED.decide([user(text)])
    assert (set(unmarked.modules), unmarked.fallback_reason) == (EVERYTHING, "not calibrated")
    named = {module: kind for module, (kind, _, _) in why(decision).items()}
    assert named == {**named, **{m: kind for m, (kind, _, _) in why(unmarked).items() if kind != "fallback"}}


@pytest.mark.parametrize(
    ("attachments", "expected"),
    [
        (("image",), {"images", "data", "files"}),
        (("file",), {"data", "files"}),
        (("audio",), {"data", "files"}),
        (("other", "image"), {"images", "data", "files"}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else "",
)
def test_attachments_are_signals(attachments: tuple[str, ...], expected: set[str]) -> None:
    """A message is routed by what it carries, too. Without words nobody knows what is asked of it."""
    assert extra(decided(user("look at this", *attachments))) == expected
    bare = decided(user("", *attachments))
    assert (set(bare.modules), bare.fallback_reason) == (EVERYTHING, "attachment without text")


def test_words_of_another_script_select_everything() -> None:
    """Nobody wrote down what they ask for; a trigger in them tells no more of the rest."""
    for text in ("перезапусти сервер", "смотри csv и сделай отчёт"):
        decision = decided(text)
        assert (set(decision.modules), decision.fallback_reason) == (EVERYTHING, "nothing known in the message")
    assert extra(decided("5 µm of it")) == set()
    assert extra(decided("привет")) == set()


def test_evidence_names_the_trigger_and_never_the_message() -> None:
    """Modules come in profile order, each with its reason."""
    assert decided("Draw a PIE CHART of orders.csv").selected == (
        Evidence(module="core", kind="always"),
        Evidence(module="files", kind="requires", detail="charts"),
        Evidence(module="charts", kind="trigger", detail="pie chart*"),
        Evidence(module="data", kind="trigger", detail="csv"),
        Evidence(module="replies", kind="always"),
    )


def test_requirements_are_followed_to_the_end_and_in_circles() -> None:
    ring = profile(
        module("a", "x", triggers=["start"], requires=["b"], optional=True),
        module("b", "x", requires=["c"]),
        module("c", "x", requires=["a"]),
        module("d", "x", optional=True),
    )
    ring = replace(ring, modules=tuple(replace(each, optional=True) for each in ring.modules))
    assert why(Router(ring).decide([user("start")])) == {
        "a": ("trigger", "start", False),
        "b": ("requires", "a", False),
        "c": ("requires", "a", False),
    }


def test_the_core_brings_what_it_requires() -> None:
    sample = profile(
        module("core", "x", always=True, requires=["base"]), module("base", "x"), module("more", "x", optional=True)
    )
    assert why(Router(sample).decide([user("hello")])) == {
        "core": ("always", None, False),
        "base": ("requires", "core", False),
    }


# Follow-ups, small talk, tasks

FOLLOW_UPS = [
    "continue",
    "Continue.",
    "yes",
    "Yes, go ahead",
    "yes please!",
    "y",
    "no",
    "ok",
    "OK, do it",
    "okay, go on",
    "sure",
    "make it shorter",
    "a bit longer please",
    "try again",
    "the second one",
    "Both.",
    "stop",
    "looks good, proceed",
    "more",
    "👍",
    "",
    "   ",
    "ja",
    "Ja, bitte",
    "mach weiter",
    "etwas kürzer bitte",
    "nochmal",
    "oui",
    "continue s'il te plaît",
    "d'accord",
    "plus court",
    "sí",
    "sí, adelante",
    "otra vez, por favor",
    "más corto",
    "sim, continue",
    "sì, va bene",
    "ja, ga verder",
    "继续",
    "好的",
    "可以。",
    "はい、続けてください",
    "もっと短く",
]


@pytest.mark.parametrize("text", FOLLOW_UPS)
def test_follow_ups_inherit(text: str) -> None:
    """They leave the conversation's set as it is."""
    decision = decided("merge the branch", text)
    assert not decision.is_fallback
    assert why(decision)["git"] == ("inherited", "merge", False)
    assert extra(decision) == {"git", "files"}
    assert decision.message_kind == "follow_up"
    assert decision.query_chars == len(text)


@pytest.mark.parametrize("text", ["yes, go ahead", "continue", "", "继续", "make it shorter"])
def test_follow_up_on_nothing_selects_everything(text: str) -> None:
    """The conversation that it leans on isn't there, so its needs aren't known."""
    decision = decided(text)
    assert decision.fallback_reason == "nothing to follow up on"
    assert set(decision.modules) == EVERYTHING


SMALL_TALK = [
    "hi",
    "Hello!",
    "Hi there, how are you?",
    "good morning",
    "Good evening everyone",
    "thanks",
    "Thank you so much!",
    "thanks a lot for your help",
    "thx, bye",
    "Guten Morgen",
    "Hallo, wie geht's dir?",
    "vielen Dank",
    "Bonjour, comment ça va ?",
    "merci beaucoup",
    "¡Hola! ¿Qué tal?",
    "muchas gracias",
    "Bom dia, tudo bem?",
    "grazie mille",
    "dank je wel",
    "привет",
    "你好",
    "谢谢！",
    "こんにちは",
    "ありがとうございます",
    "안녕하세요",
    "감사합니다",
    "नमस्ते",
    "धन्यवाद",
    "مرحبا",
    "תודה",
    "who are you?",
    "What's your name?",
    "tell me a joke",
    "What is the capital of France?",
    "what's the capital of New Zealand",
    "Who wrote War and Peace?",
    "who painted the Mona Lisa?",
    "How tall is Mount Everest?",
    "What is the boiling point of water",
    "When was Mozart born?",
    "how many days are in a year",
    "2+2",
    "what is 12 * 7?",
    "What's 3.5 x 4",
    "Was ist die Hauptstadt von Peru?",
    "Quelle est la capitale du Pérou ?",
    "¿Cuál es la capital de Perú?",
]


@pytest.mark.parametrize("text", SMALL_TALK)
def test_small_talk_needs_nothing_of_its_own(text: str) -> None:
    """Greetings, thanks and general knowledge need no tool; a conversation that begins so may go on otherwise."""
    decision = decided(text)
    assert decision.message_kind == "small_talk"
    assert set(decision.modules) == CORE
    assert not decision.is_fallback
    assert set(UNMARKED.decide([user(text)]).modules) == EVERYTHING


TASKS = [
    # greetings and thanks with something behind them
    "hi, the deploy failed again",
    "hello, help me",
    "hi, can you help?",
    "hey, what's new?",
    "good morning, restart the crawler",
    "thanks, now restart it on the other machine",
    "thank you, please send it to Ada",
    "cheers, and the crawler?",
    "hola, el despliegue ha fallado",
    "hallo, der Server antwortet nicht",
    "merci, envoie-le à Ada",
    "你好，部署失败了",
    "谢谢，请发给王先生",
    # follow-ups with something behind them
    "yes, and restart the crawler",
    "continue with the second crawler",
    "no, use the other machine",
    "make it run every night",
    "go to the shop's site",
    "继续部署第二台服务器",
    # questions about the user's own things
    "who wrote this thing here?",
    "who wrote the parser?",
    "Who wrote parser.py?",
    "who is on call?",
    "who is the maintainer of utils.py",
    "Who is responsible for billing?",
    "when did the outage start?",
    "when was the container built?",
    "when did the import end?",
    "how long is the video?",
    "how big is the heap?",
    "how big is the backlog",
    "how old is the certificate?",
    "how far is the migration?",
    "what is the height of the header?",
    "what is the length of the queue?",
    "what's the largest in src",
    "what is the speed of the crawler?",
    "what is the meaning of ERR_4711",
    "how many retries are there in a run",
    "what is the capital of our fund",
    "what time is it in the log",
    # neither
    "Book a table for two",
    "?",
    "fix",
    "npm run build",
    "42",
]


@pytest.mark.parametrize("text", TASKS)
def test_tasks_are_never_swallowed(text: str) -> None:
    """What may need a tool and names nothing known gets everything that nobody marked."""
    assert decided(text).message_kind == "task"
    decision = UNMARKED.decide([user(text)])
    assert decision.message_kind == "task"
    assert decision.fallback_reason == "not calibrated"
    assert set(decision.modules) == EVERYTHING


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thanks, now delete the branch", {"git", "files"}),
        ("who wrote this file?", {"files"}),
        ("hi, show me the csv", {"data", "files"}),
        ("yes, merge it", {"git", "files"}),
        ("ok, next file", {"files"}),
        ("good morning! any branch left?", {"git", "files"}),
        ("what is the size of the branch", {"git", "files"}),
    ],
)
def test_known_words_beat_small_talk_and_follow_ups(text: str, expected: set[str]) -> None:
    decision = decided(text)
    assert decision.message_kind == "task"
    assert extra(decision) == expected


# Conversations


def test_what_was_selected_stays() -> None:
    """Each turn keeps what the turns before it brought."""
    turns: list[Turn] = []
    seen: set[str] = set()
    for turn in (
        user("hi"),
        user("merge the branch"),
        called("git"),
        Turn(role="tool", text="csv photo attachment"),
        user("thanks"),
        user("now chart it"),
        user("yes"),
        user("", "image"),
        user("deploy the crawler"),
        user("ok"),
    ):
        turns.append(turn)
        now = set(decided(*turns).modules)
        assert seen <= now
        seen = now
    assert seen == EVERYTHING


@pytest.mark.parametrize("role", ["tool", "assistant", "system", "developer", "function"])
def test_only_user_messages_are_read(role: str) -> None:
    """Tool results, answers and late system messages don't route."""
    decision = decided("merge it", Turn(role=role, text="a photo of a chart", attachments=("image",)))
    assert extra(decision) == {"git", "files"}


def test_tool_call_adds_the_module_that_owns_the_tool() -> None:
    decision = decided("merge it", called("load"), called("unknown_tool"))
    assert why(decision)["data"] == ("tool_call", "load", True)
    assert extra(decision) == {"git", "files", "data"}


def test_tool_call_of_the_core_adds_nothing() -> None:
    assert extra(decided("merge it", called("ask"))) == {"git", "files"}


def test_small_talk_after_a_task_keeps_the_set() -> None:
    decision = decided("merge it", "thank you!")
    assert decision.message_kind == "small_talk"
    assert extra(decision) == {"git", "files"}


def test_task_after_small_talk_is_a_task() -> None:
    assert decided("hi", "deploy the crawler").message_kind == "task"


def test_fallback_stays_and_keeps_its_first_reason() -> None:
    decision = decided("go on", "thanks", user("", "image"), "merge it")
    assert decision.is_fallback
    assert decision.fallback_reason == "nothing to follow up on"
    assert set(decision.modules) == EVERYTHING


def test_no_user_message_selects_everything() -> None:
    decision = decided()
    assert decision.fallback_reason == "no user message"
    assert decision.message_kind == "none"
    assert set(decision.modules) == EVERYTHING


LATE: dict[str, tuple[list[Turn | str], dict[str, bool]]] = {
    "first message": (["merge it"], {"git": False, "files": False}),
    "second message": (["merge it", "and a photo"], {"git": False, "files": False, "images": True}),
    "required by a late one": (["photo", "chart it"], {"images": False, "charts": True, "data": True, "files": True}),
    "required early, required again late": (
        ["merge it", "chart it"],
        {"git": False, "files": False, "charts": True, "data": True},
    ),
    "required early, named late": (["merge it", "open the file"], {"git": False, "files": False}),
    "named early, named again": (["photo", "another photo"], {"images": False}),
    "called tool": (["photo", called("git")], {"images": False, "git": True, "files": True}),
    "required early, called late": (["merge it", called("read_file")], {"git": False, "files": False}),
    "called, then named": (["photo", called("git"), "merge it"], {"images": False, "git": True, "files": True}),
    "everything early, named late": (
        ["go on", "merge it"],
        {"files": False, "git": False, "charts": False, "data": False, "images": False},
    ),
    "everything early, called late": (
        ["go on", called("git")],
        {"files": False, "git": False, "charts": False, "data": False, "images": False},
    ),
    "everything late": (
        ["merge it", user("", "other")],
        {"files": False, "git": False, "charts": True, "data": True, "images": True},
    ),
    "after small talk": (["hi", "merge it"], {"git": True, "files": True}),
}


@pytest.mark.parametrize(("turns", "expected"), LATE.values(), ids=LATE.keys())
def test_late_says_first_needed_after_the_first_message(turns: list[Turn | str], expected: dict[str, bool]) -> None:
    """Once needed early, a module is never late, whatever names it again."""
    decision = decided(*turns)
    assert {e.module: e.late for e in decision.selected if e.module not in CORE} == expected


def test_lateness_never_changes_as_a_conversation_goes_on() -> None:
    """Later turns may not move a module from early to late or back."""
    turns = [user("merge it"), user("open the file"), called("load"), user("chart the csv"), user("", "other")]
    known: dict[str, bool] = {}
    for end in range(1, len(turns) + 1):
        now = {e.module: e.late for e in decided(*turns[:end]).selected}
        assert {module: now[module] for module in known} == known
        known = now


# Long messages


def test_start_and_end_of_a_long_message_are_read() -> None:
    """There people say what they want; what they pasted between doesn't route."""
    filler = "lorem ipsum " * 5_000
    assert extra(decided(f"merge it: {filler}")) == {"git", "files"}
    assert extra(decided(f"{filler} merge it")) == {"git", "files"}
    assert extra(decided(f"{filler} branch {filler}")) == set()


def test_words_cut_by_the_reading_limit_are_no_words() -> None:
    """Half a word at the edge of what is read must not match."""
    start = "x " * ((HEAD_CHARS - 6) // 2) + "branch" + "ial " + "x " * TAIL_CHARS
    assert start[:HEAD_CHARS].endswith("branch")
    assert extra(decided(start)) == set()


@pytest.mark.parametrize(
    "text",
    ["a" * 300_000, "pull " * 100_000, "1" * 50_000, "1+" * 50_000, "数" * 200_000, "(" * 100_000, "who is " * 50_000],
    ids=["one word", "half a phrase", "digits", "arithmetic", "Han", "brackets", "half a question"],
)
def test_hostile_messages_are_tasks(text: str) -> None:
    decision = decided(text)
    assert (decision.message_kind, extra(decision)) == ("task", set())


# Determinism

SCRIPT = """
import json, sys
from tests.request.test_router import ROUTER, user, called
words = "chart the csv, merge the branch, a photo and a file"
turns = [user(words, "image", "file"), called("load", "git"), user("数据 写真")]
decision = ROUTER.decide(turns)
json.dump([[e.module, e.kind, e.detail, e.late] for e in decision.selected], sys.stdout)
"""


def test_decision_does_not_depend_on_the_hash_seed() -> None:
    """Replicas agree: no set order gets into a decision."""
    seen = set()
    for seed in ("0", "1", "4711"):
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", SCRIPT], env=environ, capture_output=True, text=True, check=True)
        seen.add(run.stdout)
    assert len(seen) == 1
    rows: list[list[Any]] = json.loads(seen.pop())
    assert [row[0] for row in rows] == [module.id for module in OFFICE.modules]


# Trigger syntax


@pytest.mark.parametrize(
    "trigger",
    ["file", "file*", "pull request", "pull request*", "e-mail", "数据", "größe*", "attachment:image", "C3PO"],
)
def test_good_triggers(trigger: str) -> None:
    assert check_trigger(trigger) is None


@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        ("", "a trigger needs at least one letter or digit"),
        ("  ", "a trigger needs at least one letter or digit"),
        ("_", "a trigger needs at least one letter or digit"),
        ("*", "a trigger needs at least one letter or digit"),
        ("a*", "'*' needs at least three letters before it, or it matches nearly every message"),
        ("ab*", "'*' needs at least three letters before it, or it matches nearly every message"),
        ("*file", "'*' may only stand at the end of a word"),
        ("fi*le", "'*' may only stand at the end of a word"),
        ("file**", "'*' may only stand at the end of a word"),
        ("file (new)", "a trigger is words, not a regular expression; write one trigger for each wording"),
        (r"\bfile\b", "a trigger is words, not a regular expression; write one trigger for each wording"),
        ("files?", "a trigger is words, not a regular expression; write one trigger for each wording"),
        ("attachment:video", "unknown attachment kind 'video'; use one of image, file, audio, other, any"),
        ("attachment:", "unknown attachment kind ''; use one of image, file, audio, other, any"),
    ],
)
def test_bad_triggers(trigger: str, problem: str) -> None:
    assert check_trigger(trigger) == problem
