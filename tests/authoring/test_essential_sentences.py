"""What every request needs stays in the core: environment, identity, safety, permissions, style and obligations.

Six phrasings (imperative, must, never, passive, condition, plain bullet) in five languages for each, put into a section
on a tool and into one without, as its first sentence, in the middle and last.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from litellm_prompt_router.authoring.split import split_prompt
from tests.authoring.needed_sentences import SENTENCES, WORDINGS

PHRASINGS = ("imperative", "must", "never", "passive", "condition", "bullet")
POSITIONS = ("first", "middle", "last")
OPENING = "You are the helper of a pottery.\n\n"
TOOL = (
    "The `glaze_table` tool returns the parameters of a glaze. ",
    "Call glaze_table with the query of a colour. ",
    "The result of glaze_table is a list of values.",
)
TOPIC = (
    "A kiln takes eight hours to warm up and twelve to cool down. ",
    "Stoneware shrinks by a tenth, porcelain by a sixth. ",
    "Two firings a week are usual in winter.",
)
OTHERS = "".join(
    f"## The {place}\n\nThe {place} has a door, a lamp and {number} hooks. People like the {place} best.\n\n"
    for number, place in enumerate(("yard", "attic", "cellar", "garden", "kitchen", "gallery"))
)


def cases() -> Iterator[tuple[str, str, str, str]]:
    for kind, languages in SENTENCES.items():
        for language, sentences in languages.items():
            for phrasing, sentence in zip(PHRASINGS, sentences, strict=True):
                yield kind, language, phrasing, sentence


def section(parts: tuple[str, str, str], sentence: str, position: str, *, is_bullet: bool) -> str:
    own = f"\n\n- {sentence}\n\n" if is_bullet else f"{sentence} "
    order = {"first": (own, *parts), "middle": (parts[0], own, *parts[1:]), "last": (*parts[:2], f"{parts[2]} ", own)}
    return "".join(order[position]).strip()


def drafted(title: str, text: str) -> tuple[bool, bool]:
    """Whether the module with the section is in the core, and whether only until it is labelled."""
    prompt = f"{OPENING}{OTHERS}## {title}\n\n{text}\n"
    draft = split_prompt(
        [prompt],
        name="kiln",
        tools=["glaze_table"],
        count_tokens=len,
        max_share=1.0,
        target_chars=300,
        min_chars=60,
        max_chars=800,
    )
    (module,) = (module for module in draft.modules if f"## {title}" in module.text)
    return module.always, module.until_labelled


@pytest.mark.parametrize(("kind", "language", "phrasing", "sentence"), list(cases()), ids=lambda value: value[:24])
def test_a_sentence_that_every_request_needs_is_core(kind: str, language: str, phrasing: str, sentence: str) -> None:
    """In whatever module and wherever it stands; labels don't take it out, unless it is on the module's subject."""
    for position in POSITIONS:
        for title, parts in (("Glazes", TOOL), ("Firing", TOPIC)):
            text = section(parts, sentence, position, is_bullet=phrasing == "bullet")
            is_core, is_until_labelled = drafted(title, text)
            assert is_core, (title, position)
            assert kind == "obligation" or not is_until_labelled, (title, position)


@pytest.mark.parametrize("sentence", [sentence for kind in WORDINGS.values() for sentence in kind])
def test_other_words_for_the_same_are_core(sentence: str) -> None:
    assert drafted("Glazes", section(TOOL, sentence, "middle", is_bullet=False))[0]
    assert drafted("Firing", section(TOPIC, sentence, "last", is_bullet=False)) == (True, False)


def test_without_such_a_sentence_the_tool_module_is_not_core() -> None:
    """Or the table shows nothing."""
    assert drafted("Glazes", "".join(TOOL)) == (False, False)
    assert drafted("Firing", "".join(TOPIC)) == (True, True)


UNKNOWN = {
    "Italian": "Lo strumento glaze_table restituisce i parametri di uno smalto per il forno della bottega.",
    "Portuguese": "A ferramenta glaze_table devolve os parâmetros de um esmalte para o forno da oficina, e não.",
    "Dutch": "Het gereedschap glaze_table geeft de parameters van een glazuur voor de oven van het atelier.",
    "Polish": "Narzędzie glaze_table zwraca parametry szkliwa dla pieca w pracowni i nie jest do niczego innego.",
    "Swedish": "Verktyget glaze_table ger parametrarna för en glasyr till ugnen och det är inte mer än så att veta om.",
    "Turkish": "glaze_table aracı bir sır için fırın parametrelerini verir ve bu bilgi her fırın için daha yararlı.",
    "Russian": "Инструмент glaze_table возвращает параметры глазури для печи мастерской и больше ничего.",
    "Japanese": "ツール glaze_table は釉薬のパラメータを返します。窯のためのもので、ほかには何も返しません。",
    "Korean": "도구 glaze_table 은 유약의 매개변수를 반환하며 그 밖의 것은 반환하지 않습니다.",
    "Arabic": "أداة glaze_table تعيد معاملات الطلاء للفرن ولا تعيد شيئا آخر.",
    "Hindi": "उपकरण glaze_table भट्ठी के लिए ग्लेज़ के मान लौटाता है और कुछ नहीं।",
}


@pytest.mark.parametrize("text", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_a_tool_module_in_another_language_is_core(text: str) -> None:
    """Whether it holds a rule can't be told."""
    assert drafted("Glazes", text)[0]


KNOWN = {
    "German": "Das Werkzeug glaze_table gibt die Parameter einer Glasur für den Ofen der Werkstatt zurück.",
    "French": "L'outil glaze_table renvoie les paramètres d'un émail pour le four de l'atelier et les couleurs.",
    "Spanish": "La herramienta glaze_table devuelve los parámetros de un esmalte para el horno del taller.",
    "Chinese": "工具 glaze_table 返回釉料的参数。调用 glaze_table 时传入颜色参数。结果是参数列表，含温度、颜色与时间。",
}


@pytest.mark.parametrize("text", KNOWN.values(), ids=KNOWN.keys())
def test_a_tool_module_in_a_known_language_is_not_core(text: str) -> None:
    assert not drafted("Glazes", text)[0]


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        ("Pull requests", "Never push a branch or open a pull request before somebody asks for it."),
        ("Processes", "Do NOT use general keywords for processes, as this might accidentally kill other servers."),
        ("Choosing prefixes", "Read-only operations take the shortest prefix that commits to read-only behaviour."),
        ("Blast radius", "Never widen the blast radius by inference."),
        ("Data providers", "The data providers cost money: always ask for confirmation first."),
        ("Secret storage", "Never print a secret from the storage."),
    ],
)
def test_a_rule_of_safety_or_permission_on_the_subject_itself_stays_for_good(title: str, sentence: str) -> None:
    """Labels tell who works with pull requests, not who must not push."""
    assert drafted(title, section(TOPIC, sentence, "middle", is_bullet=False)) == (True, False)


def test_a_rule_of_conduct_on_the_subject_itself_is_left_to_labels() -> None:
    sentence = "Verify the temperature of the firing twice."
    assert drafted("Firing", section(TOPIC, sentence, "middle", is_bullet=False)) == (True, True)


@pytest.mark.parametrize(
    ("heading", "is_core"),
    [
        ("Kiln log", True),
        ("autofire", True),
        ("Examples", False),
        ("Parameters of a glaze", False),
        ("How to call glaze_table", False),
        ("Verwendung", False),
    ],
)
def test_a_section_that_is_not_named_after_its_tool_keeps_a_module_in_the_core(heading: str, is_core: bool) -> None:
    """Else a feature without a tool of its own would go where the tool above it is missing."""
    text = f"{''.join(TOOL)}\n\n### {heading}\n\nThis tool runs with the same parameters."
    assert drafted("Glazes", text) == (is_core, is_core)
