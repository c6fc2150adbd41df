"""What a table and module vectors learn from: module texts, examples, labelled messages, small talk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from litellm_prompt_router.files.labelled_messages import Case, Conversations, Numbered
from litellm_prompt_router.profile.agents import EVERY_AGENT
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.topic_pieces import pieces_of_topics, topic_names
from litellm_prompt_router.request.route.embeddings import EMBEDDED_CHARS, embedded_part, in_context
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.types import Turn

EXAMPLE_CATEGORY = "example"
MAX_PIECES = 8
"""Embedded from the start of a module's text; the rest isn't."""


Said = Mapping[tuple[str, ...], tuple[str, ...]]
"""What the agent said while it worked on a message, by the user messages up to that one."""


def said_in(cases: Iterable[Case]) -> Said:
    """By message: what the case itself says of it, and what the agent had said last before the next one."""
    said: dict[tuple[str, ...], dict[str, None]] = {}
    for case in cases:
        said.setdefault((*case.history, case.text), {}).update(dict.fromkeys(case.said))
        if case.history and case.assistant.strip():
            said.setdefault(case.history, {})[case.assistant] = None
    return {messages: tuple(texts) for messages, texts in said.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A text and the columns of the modules that it needs; none: small talk, or a message that needs the core alone."""

    text: str
    columns: frozenset[int]


def documents_of(
    profile: Profile, columns: Sequence[int], cases: Sequence[Numbered], known: Conversations
) -> list[Document]:
    """Titles, descriptions, examples, and labelled messages with the modules that each newly needs.

    What the agent said while it worked on a message needs what the message does: it is how the task looks from inside.
    """
    new = [(case.text, needed) for case, needed in _newly_needed(profile, columns, cases) if needed]
    heard = _heard(profile, columns, cases)
    return [*module_documents(profile, columns), *labelled_documents([*_examples(profile, columns), *new, *heard])]


def _examples(profile: Profile, columns: Sequence[int]) -> list[tuple[str, frozenset[int]]]:
    return [
        (text, frozenset({column}))
        for column, pieces in enumerate(columns_pieces(profile, columns))
        for piece in pieces
        for text in profile.modules[piece].examples
    ]


def _heard(profile: Profile, columns: Sequence[int], cases: Sequence[Numbered]) -> Iterable[tuple[str, frozenset[int]]]:
    column_of, said = _column_of(profile, columns), said_in(case for _, case in cases)
    for _, case in cases:
        needed = frozenset(column_of[id] for id in case.needs if id in column_of)
        for text in said.get((*case.history, case.text), ()) if needed else ():
            yield text, needed


def _newly_needed(
    profile: Profile, columns: Sequence[int], cases: Sequence[Numbered]
) -> Iterable[tuple[Case, frozenset[int]]]:
    """Each case with the columns of what it needs that no tool call brought before it."""
    column_of = _column_of(profile, columns)
    owners = {tool: column_of.get(module.id) for module in profile.modules for tool in module.tools}
    for _, case in cases:
        used = {owners.get(tool) for tool in case.tool_calls}
        needed = (column_of[id] for id in case.needs if id in column_of)
        yield case, frozenset(column for column in needed if column not in used or not case.history)


def _column_of(profile: Profile, columns: Sequence[int]) -> dict[str, int]:
    """By module id, for every piece of a scored topic."""
    pieces = columns_pieces(profile, columns)
    return {profile.modules[piece].id: column for column, own in enumerate(pieces) for piece in own}


def chat_documents(cases: Sequence[Numbered]) -> list[Document]:
    """Messages that need the core alone."""
    nothing: frozenset[int] = frozenset()
    needless = [case.text for _, case in cases if not case.needs and not case.history]
    return [Document(text=text, columns=nothing) for text in dict.fromkeys((*SMALL_TALK, *needless))]


def vector_documents(
    profile: Profile, columns: Sequence[int], cases: Sequence[Numbered], known: Conversations
) -> list[Document]:
    """Examples, labelled messages in their context with what each newly needs, be it nothing, and small talk.

    Their texts are what the embedding model is given.
    """
    pairs = [(embedded_part(text), needed) for text, needed in _examples(profile, columns)]
    pairs += [(embedded_part(text), frozenset()) for text in SMALL_TALK]
    for case, needed in _newly_needed(profile, columns, cases):
        texts = messages_in_context(profile, known.turns_of(case))
        pairs += [(texts[-1], needed)] if texts else []
    return labelled_documents(pairs)


def messages_in_context(profile: Profile, turns: Sequence[Turn]) -> list[str]:
    """What an embedding model is given of each user message, as routing gives it."""
    ignore = EVERY_AGENT.with_(profile.ignore)
    return list(in_context(turns, lambda turn: own_words(turn, ignore).text).values())


def examples_as_cases(profile: Profile) -> list[Case]:
    """Each example as a labelled message, of every module that has it."""
    names = topic_names(profile.modules)
    needs: dict[str, dict[str, None]] = {}
    for module in profile.modules:
        for example in module.examples:
            needs.setdefault(example, {})[names[module.id]] = None
    return [Case(text=text, category=EXAMPLE_CATEGORY, needs=tuple(ids)) for text, ids in needs.items()]


def module_documents(profile: Profile, columns: Sequence[int]) -> list[Document]:
    """Titles and sentences of descriptions, taken as messages that need their module."""
    documents: list[Document] = []
    for column, pieces in enumerate(columns_pieces(profile, columns)):
        texts: list[str] = []
        for module in (profile.modules[piece] for piece in pieces):
            sentences = [line for part in module.description.split("\n") for line in part.split(". ") if line.strip()]
            texts += (module.title, *sentences)
        # Pieces of one topic may well be called the same.
        texts = list(dict.fromkeys(texts)) if len(pieces) > 1 else texts
        documents += [Document(text=text, columns=frozenset({column})) for text in texts]
    return documents


def body_documents(profile: Profile, columns: Sequence[int]) -> list[Document]:
    """Modules' texts in pieces that an embedding model reads whole. A fit learns nothing from them."""
    documents: list[Document] = []
    for column, number in enumerate(columns):
        text = profile.modules[number].text
        for at in range(0, min(len(text), MAX_PIECES * EMBEDDED_CHARS), EMBEDDED_CHARS):
            piece = text[at : at + EMBEDDED_CHARS]
            documents += [Document(text=piece, columns=frozenset({column}))] if piece.strip() else []
    return documents


def descriptions(profile: Profile, columns: Sequence[int]) -> list[Document]:
    """Each module's description, whole; its title where it has none."""
    texts = [profile.modules[number].description.strip() or profile.modules[number].title for number in columns]
    return [Document(text=text, columns=frozenset({column})) for column, text in enumerate(texts) if text.strip()]


def columns_pieces(profile: Profile, columns: Sequence[int]) -> list[tuple[int, ...]]:
    """By column, the modules whose texts, titles and examples are its own: the pieces of its topic."""
    pieces = pieces_of_topics(profile.modules)
    return [pieces[number] for number in columns]


def labelled_documents(pairs: Iterable[tuple[str, frozenset[int]]]) -> list[Document]:
    """One document a text; a text that occurs twice has the columns of both."""
    columns: dict[str, frozenset[int]] = {}
    for text, needed in pairs:
        columns[text] = columns.get(text, frozenset()) | needed
    return [Document(text=text, columns=needed) for text, needed in columns.items()]


SMALL_TALK = tuple(
    line.strip()
    for line in """
    hi
    hello there
    hey, how is it going?
    good morning everyone
    good evening, how are you today?
    how have you been?
    nice to meet you
    what is up?
    thanks a lot, that was great
    thank you, you are the best
    perfect, thanks for your help
    awesome, that is all for today
    great job
    no problem
    you are welcome
    have a nice weekend
    see you tomorrow
    goodbye and good night
    haha that was funny
    I am fine, thanks, and you?
    happy birthday
    merry christmas to you
    sorry, my mistake
    who are you?
    what can you do?
    are you a human or a robot?
    how old are you?
    where do you live?
    do you like music?
    what is your favourite colour?
    tell me a joke
    tell me something interesting
    do you ever sleep?
    what is the meaning of life?
    what is the capital of France?
    who wrote Hamlet?
    who painted the Mona Lisa?
    how tall is Mount Everest?
    how many continents are there?
    when did the second world war end?
    what is the largest planet in the solar system?
    why is the sky blue?
    how far away is the moon?
    which language is spoken in Brazil?
    hallo zusammen
    guten Morgen, wie geht es dir?
    vielen Dank, das war sehr hilfreich
    danke dir, bis morgen
    schönes Wochenende
    alles klar, danke
    wer bist du?
    was kannst du?
    erzähl mir einen Witz
    wie hoch ist die Zugspitze?
    wer hat den Faust geschrieben?
    bonjour, comment vas-tu ?
    salut, ça va ?
    merci beaucoup, c'était parfait
    bonne journée et à demain
    qui es-tu ?
    raconte-moi une blague
    quelle est la capitale de l'Italie ?
    hola, ¿qué tal?
    buenos días, ¿cómo estás?
    muchas gracias, perfecto
    hasta mañana
    ¿quién eres?
    cuéntame un chiste
    ¿cuál es la capital de Chile?
    olá, tudo bem?
    bom dia
    muito obrigado pela ajuda
    até amanhã
    quem é você?
    conte uma piada
    ciao, come stai?
    buongiorno a tutti
    grazie mille, perfetto
    chi sei?
    raccontami una barzelletta
    hallo, hoe gaat het?
    goedemorgen
    dank je wel, tot morgen
    wie ben jij?
    cześć, jak się masz?
    dziękuję bardzo
    hej, hur mår du?
    tack så mycket
    hei, mitä kuuluu?
    kiitos paljon
    merhaba, nasılsın?
    çok teşekkür ederim
    привет, как дела?
    спасибо большое
    кто ты?
    добрый день
    привіт, як справи?
    дякую
    γεια σου, τι κάνεις;
    ευχαριστώ πολύ
    مرحبا، كيف حالك؟
    شكرا جزيلا
    שלום, מה שלומך?
    תודה רבה
    नमस्ते, आप कैसे हैं?
    बहुत धन्यवाद
    你好，最近怎么样？
    早上好
    非常感谢
    你是谁？
    讲个笑话
    こんにちは、元気ですか？
    ありがとうございました
    あなたは誰ですか？
    안녕하세요, 잘 지내요?
    정말 감사합니다
    สวัสดีครับ สบายดีไหม
    ขอบคุณมากค่ะ
    xin chào, bạn khỏe không?
    cảm ơn rất nhiều
    halo, apa kabar?
    terima kasih banyak
    """.strip().split("\n")
)
"""Messages that need the core alone, in several languages.

Beside the narrow lists of request/route/follow_ups.py these only lower scores; a message made of such words alone,
with nothing above the threshold, gets the core.
"""
