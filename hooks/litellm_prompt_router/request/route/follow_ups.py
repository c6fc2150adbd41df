"""Messages that name no task: follow-ups, which lean on the conversation, and small talk, which leans on nothing.

Both are recognised narrowly, since a task taken for small talk loses its instructions: every word must be on
a list, or the whole message must have the form of a general-knowledge question about nothing of the user's.
Anything else is a task.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from litellm_prompt_router.request.route.triggers import is_unspaced, phrases_of

MAX_FOLLOW_UP_WORDS = 10
MAX_SMALL_TALK_CHARS = 100


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# English, German, French, Spanish, Portuguese, Italian, Dutch.
_FOLLOW_UP_HEADS = _words(
    """
    yes y yep yeah yup no nope ok okay sure right correct exactly agreed fine perfect good great continue proceed
    go going retry again more less another shorter longer simpler shorten expand rephrase redo undo stop cancel
    next try do make approved confirmed both first second third last neither either option
    ja nein genau weiter mach nochmal kuerzer kürzer länger einfacher fortfahren einverstanden passt
    oui non continue continuez vas allez encore plus court long simple recommence daccord
    si sí no vale claro continua continúa sigue adelante otra vez mas más corto largo hazlo
    accord sim não nao continue adelante prossiga novamente curto
    sì va bene continua procedi ancora corto
    nee doorgaan verder ga nog korter
    """
)
_FOLLOW_UP_FILL = _words(
    """
    please thanks thank you now then and or but also just so it that this them those the a an one ones thing way
    same too ahead on with for to me of in is be looks sounds good great works all of i we lets let us can could
    you would like want prefer think want yourself bit little much very even keep as before instead not don t s
    bitte danke jetzt dann und oder aber auch es das die den dem so ein eine etwas noch ist gut
    il le la les du ce ça cela s te plait plaît vous merci y est on peu bon accord d de
    por favor gracias lo la el eso esto un poco y que está bien de
    favor obrigado obrigada isso o um pouco e está
    per favore grazie lo questo un po e
    graag dank het dat maar even
    """
)
_FOLLOW_UPS_UNSPACED = frozenset(
    [
        "继续",
        "好的",
        "好",
        "是的",
        "是",
        "可以",
        "请继续",
        "再来一次",
        "再短一点",
        "短一点",
        "不",
        "不是",
        "下一个",
        "繼續",
        "請繼續",
        "はい",
        "いいえ",
        "続けて",
        "続けてください",
        "お願いします",
        "もう一度",
        "もっと短く",
        "次",
    ]
)
_NODS = frozenset(("👍", "👌", "✅", "🆗", "+1"))

_SMALL_TALK_HEADS = _words(
    """
    hi hello hey hiya howdy greetings goodnight thanks thank thx ty cheers bye goodbye ciao
    hallo servus moin danke tschüss tschuess grüezi guten
    bonjour bonsoir salut merci coucou revoir
    hola gracias buenos buenas adiós adios
    olá ola oi obrigado obrigada
    grazie buongiorno buonasera salve
    hoi goedemorgen bedankt doei dank bom boa
    привет здравствуйте спасибо γεια ευχαριστώ مرحبا شكرا שלום תודה
    """
)
_SMALL_TALK_FILL = _words(
    """
    good morning afternoon evening night there you so much very a lot for your the help that this was is it great nice awesome perfect wonderful
    how are doing going today everyone all again to meet have day one see later well i m fine hope and too
    tag morgen abend schönen schönes wie geht s dir ihnen noch vielen dank sehr auf wiedersehen hilfe für die
    comment ça va tu vous allez beaucoup bien au bonne journée soirée
    días dias tardes noches qué que tal cómo como estás está muchas mucho hasta luego
    bom dia boa tarde noite muito tudo bem molte mille tutto bene dank je wel
    """
)
# Scripts whose vowel signs part words: whole messages.
_GREETINGS = frozenset(("नमस्ते", "धन्यवाद", "안녕하세요", "감사합니다", "고마워요"))
_HELP = "help"
_THANKS = _words("thanks thank thx ty cheers")
"""Thanks for help are small talk; a greeting that asks for it is not."""
_SMALL_TALK_UNSPACED = frozenset(
    [
        "你好",
        "您好",
        "谢谢",
        "謝謝",
        "谢谢你",
        "早上好",
        "晚上好",
        "再见",
        "再見",
        "こんにちは",
        "おはよう",
        "おはようございます",
        "こんばんは",
        "ありがとう",
        "ありがとうございます",
        "さようなら",
        "안녕하세요",
        "감사합니다",
    ]
)

# A question of general knowledge asks about something with a name (Capital Letters) or something everybody has.
_NAME = (
    r"(?:[A-ZÀ-ÖØ-Þ][\w'’-]*)(?: (?:(?:of|the|and|de|la|le|del|von|van|der|da|di|du|in) ){0,2}[A-ZÀ-ÖØ-Þ][\w'’-]*){0,4}"
)
_COMMON = (
    r"(?i:water|ice|steam|gold|silver|iron|copper|oxygen|hydrogen|helium|light|sound|earth|the earth|the moon|the sun"
    r"|the universe|the atlantic|the pacific|[0-9]{1,6}|pi)"
)
_THING = rf"(?:{_NAME}|{_COMMON})"
_TRIVIA = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?i:(?:what|which)(?:'s|’s| is| are| was)?) (?i:the )?(?i:capital|population|currency|area|height|length|depth"
        r"|past tense|plural|opposite|square root|speed|boiling point|melting point|freezing point|atomic number"
        rf"|chemical symbol|chemical formula|national anthem|national animal|national flower) (?i:of|in) (?i:the )?{_THING}",
        rf"(?i:who (?:wrote|painted|composed|invented|discovered|founded)) (?i:the )?{_NAME}",
        rf"(?i:when (?:did|was|were)) (?i:the )?{_NAME}(?i: (?:born|die|invented|founded|discovered))",
        rf"(?i:how (?:tall|high|old|far|deep|big|heavy|long|large) (?:is|are|was)) (?i:the )?{_THING}",
        r"(?i:how many (?:days|weeks|months|hours|minutes|seconds|years|grams|ounces|pounds|metres|meters|inches|feet"
        r"|bits|bytes|continents|planets|legs) (?:are )?(?:there )?in an? (?:leap )?(?:year|day|week|month|hour|minute"
        r"|century|decade|kilogram|kilo|pound|ton|mile|kilometre|kilometer|foot|yard|metre|meter|byte))",
        r"(?i:(?:please )?tell me a (?:short |good |funny )?(?:joke|riddle|fun fact)(?: please)?)",
        rf"(?i:(?:was|wie|welche) (?:ist|heisst|heißt|lautet) (?:die|der|das) (?:hauptstadt|währung|einwohnerzahl) (?:von|der|des)) {_NAME}",
        rf"(?i:quel(?:le)? est (?:la |le |l['’])?(?:capitale|population|monnaie|superficie) (?:de|du|de la|des|de l['’])) ?{_NAME}",
        rf"(?i:cu[aá]l es (?:la )?(?:capital|población|moneda) (?:de|del|de la)) {_NAME}",
    )
)
_ABOUT_ITSELF = re.compile(
    r"(?i:who are you|what are you|what(?:'s|’s| is) your name|are you (?:a )?(?:human|bot|robot|ai))"
)
_ARITHMETIC = re.compile(
    r"(?i:(?:what(?:'s|’s| is)|calculate|compute) )?[\d\s.,()]{1,12}(?:[-+*/x×÷^]\s?[\d\s.,()]{1,12}){1,4}=?"
)
_AROUND = " \t\r\n?!.¿¡"
# Names of people's own things are written with capitals too: with these words a question is about those.
_OWN = _words(
    "my our your their his her its this that these those here file repo server database project team issue ticket"
)


def is_follow_up(folded_text: str, words: Sequence[str]) -> bool:
    """True for a short message that only points back at the conversation ("yes, go ahead")."""
    if folded_text.strip(_AROUND) in _NODS:
        return True
    if is_unspaced(folded_text):
        return all(phrase in _FOLLOW_UPS_UNSPACED for phrase in phrases_of(folded_text))
    if not 0 < len(words) <= MAX_FOLLOW_UP_WORDS:
        return False
    heads = sum(word in _FOLLOW_UP_HEADS for word in words)
    return heads > 0 and all(word in _FOLLOW_UP_HEADS or word in _FOLLOW_UP_FILL for word in words)


def is_small_talk(text: str, folded_text: str, words: Sequence[str]) -> bool:
    """True for greetings, thanks and general knowledge that need no tool."""
    if is_unspaced(folded_text):
        return all(phrase in _SMALL_TALK_UNSPACED for phrase in phrases_of(folded_text))
    if len(folded_text) > MAX_SMALL_TALK_CHARS:
        return False
    plain = folded_text.strip(_AROUND)
    if plain in _GREETINGS or _ARITHMETIC.fullmatch(plain):
        return True
    if words and (words[0] == "good" or any(word in _SMALL_TALK_HEADS for word in words)):
        if _HELP in words and _THANKS.isdisjoint(words):
            return False
        return all(word in _SMALL_TALK_HEADS or word in _SMALL_TALK_FILL for word in words)
    question = " ".join(text.strip(_AROUND).split())
    if _ABOUT_ITSELF.fullmatch(question):
        return True
    return any(pattern.fullmatch(question) for pattern in _TRIVIA) and _OWN.isdisjoint(words)
