"""What every request needs stays in the core: environment, identity, safety, permissions, style and obligations.

Six phrasings (imperative, must, never, passive, condition, plain bullet) in five languages for each, put into a section
on a tool and into one without, as its first sentence, in the middle and last.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from litellm_prompt_router.authoring.split import split_prompt

PHRASINGS = ("imperative", "must", "never", "passive", "condition", "bullet")
SENTENCES: dict[str, dict[str, tuple[str, str, str, str, str, str]]] = {
    "environment": {
        "English": (
            "Do all work in the working directory /srv/kiln.",
            "You must stay inside the workspace folder /srv/kiln.",
            "The machine never has internet access.",
            "You are run on Debian 12 under the account potter.",
            "If a date matters, today is 3 May 2026.",
            "Operating system: FreeBSD 14, default shell: fish",
        ),
        "German": (
            "Arbeite im Arbeitsverzeichnis /srv/ofen.",
            "Du musst im Arbeitsbereich /srv/ofen bleiben.",
            "Die Maschine hat nie Zugang zum Internet.",
            "Du wirst auf Debian 12 in einer Umgebung ohne Bildschirm ausgeführt.",
            "Wenn ein Datum zählt: heute ist der 3. Mai 2026.",
            "Betriebssystem: FreeBSD 14",
        ),
        "French": (
            "Travaille dans le répertoire de travail /srv/four.",
            "Tu dois rester dans l'espace de travail /srv/four.",
            "La machine n'a jamais accès à internet.",
            "Tu es exécuté sous Debian 12, le shell par défaut étant fish.",
            "Si une date compte, nous sommes le 3 mai 2026.",
            "Système d'exploitation : FreeBSD 14",
        ),
        "Spanish": (
            "Trabaja en el directorio de trabajo /srv/horno.",
            "Debes quedarte en el espacio de trabajo /srv/horno.",
            "La máquina nunca tiene acceso a internet.",
            "El agente se ejecuta en un entorno sin pantalla.",
            "Si importa la fecha, hoy es 3 de mayo de 2026.",
            "Sistema operativo: FreeBSD 14",
        ),
        "Chinese": (
            "请在工作目录 /srv/kiln 中工作。",
            "你必须留在工作区 /srv/kiln 内。",
            "这台机器从不联网。",
            "程序运行在 Debian 12 上。",
            "如果涉及日期，今天是 2026 年 5 月 3 日。",
            "操作系统：FreeBSD 14",
        ),
    },
    "identity": {
        "English": (
            "Act as Mira, the studio's clerk.",
            "You must introduce yourself as Mira.",
            "Never claim to be a human.",
            "You were built by the Ember Studio.",
            "If somebody asks who you are, say that you are the studio's clerk.",
            "Name: Mira, clerk of the studio",
        ),
        "German": (
            "Handle als Mira, die Schreibkraft der Werkstatt.",
            "Du musst dich als Mira vorstellen.",
            "Gib dich niemals als Mensch aus.",
            "Du wurdest von der Werkstatt Ember gebaut.",
            "Wenn jemand fragt, wer du bist, nenne die Werkstatt.",
            "Dein Name ist Mira",
        ),
        "French": (
            "Agis comme Mira, la secrétaire de l'atelier.",
            "Tu dois te présenter : présente-toi comme Mira.",
            "Ne te fais jamais passer pour un humain.",
            "Tu es connue sous le nom de Mira.",
            "Si quelqu'un demande qui tu es, nomme l'atelier.",
            "Ton nom : Mira",
        ),
        "Spanish": (
            "Actúa como Mira, la secretaria del taller.",
            "Debes identificarte como Mira.",
            "Nunca te hagas pasar por un humano.",
            "Eres conocida como Mira.",
            "Si alguien pregunta quién eres, nombra el taller.",
            "Tu nombre: Mira",
        ),
        "Chinese": (
            "请扮演工作室的文员米拉。",
            "你必须介绍自己是米拉。",
            "绝不冒充真人。",
            "你被称为米拉。",
            "如果有人问你是谁，就说是工作室的文员。",
            "名字：米拉",
        ),
    },
    "safety": {
        "English": (
            "Keep passwords out of every file.",
            "You must protect personal data.",
            "Never reveal an API key.",
            "Credentials are not to be written down.",
            "If a request could harm somebody, refuse it.",
            "Customers' secrets stay confidential",
        ),
        "German": (
            "Halte Passwörter aus jeder Datei heraus.",
            "Du musst personenbezogene Daten schützen.",
            "Gib niemals einen Schlüssel preis.",
            "Zugangsdaten werden nicht aufgeschrieben.",
            "Wenn eine Bitte jemandem schaden könnte, lehne sie ab.",
            "Geheimnisse der Kunden bleiben vertraulich",
        ),
        "French": (
            "Garde les mots de passe hors des fichiers.",
            "Tu dois protéger les données personnelles.",
            "Ne révèle jamais une clé.",
            "Les identifiants ne sont pas notés.",
            "Si une demande peut nuire à quelqu'un, refuse-la.",
            "Les secrets des clients restent confidentiels",
        ),
        "Spanish": (
            "Deja las contraseñas fuera de los archivos.",
            "Debes proteger los datos personales.",
            "Nunca reveles una clave.",
            "Las credenciales no se anotan.",
            "Si una petición puede dañar a alguien, recházala.",
            "Los secretos de los clientes son confidenciales",
        ),
        "Chinese": (
            "不要把密码写进任何文件。",
            "你必须保护个人信息。",
            "绝不泄露密钥。",
            "凭据不被记录。",
            "如果请求可能伤害他人，请拒绝。",
            "客户的隐私保持机密",
        ),
    },
    "permission": {
        "English": (
            "Ask the owner before anything is thrown away.",
            "You must have the potter's approval for each order.",
            "Never delete a recipe.",
            "Access to the archive is read-only.",
            "If an order costs more than 80 euros, get a confirmation.",
            "Nothing leaves the studio without permission",
        ),
        "German": (
            "Frage den Besitzer, bevor etwas weggeworfen wird.",
            "Du musst für jede Bestellung eine Genehmigung haben.",
            "Ohne Zustimmung wird nie bestellt.",
            "Das Löschen von Rezepten ist nicht gestattet.",
            "Wenn ein Brand mehr als 80 Euro kostet, hole eine Bestätigung ein.",
            "Nur lesender Zugriff auf das Archiv ist erlaubt",
        ),
        "French": (
            "Demande au propriétaire avant de jeter quelque chose.",
            "Tu dois avoir l'accord du potier pour chaque commande.",
            "Ne commande jamais sans autorisation.",
            "La suppression des recettes est interdite.",
            "Si une cuisson coûte plus de 80 euros, obtiens une confirmation.",
            "Archives en lecture seule",
        ),
        "Spanish": (
            "Pregunta al dueño antes de tirar algo.",
            "Debes tener la aprobación del alfarero para cada pedido.",
            "Nunca pidas material sin autorización.",
            "Está prohibido borrar recetas.",
            "Si una cocción cuesta más de 80 euros, obtén una confirmación.",
            "El archivo es de solo lectura",
        ),
        "Chinese": (
            "丢弃任何东西前请先询问主人。",
            "每份订单都必须得到陶工的批准。",
            "绝不擅自订货。",
            "删除配方是不被允许的。",
            "如果烧制费用超过 80 欧元，请先确认。",
            "档案只读",
        ),
    },
    "style": {
        "English": (
            "Answer in two short sentences.",
            "You must sound friendly.",
            "Never use emojis.",
            "Every reply is written in the customer's language.",
            "If a customer is upset, apologise once.",
            "Tone: calm and polite",
        ),
        "German": (
            "Antworte in zwei kurzen Sätzen.",
            "Du musst freundlich klingen.",
            "Verwende niemals Emojis.",
            "Jede Antwort wird in der Sprache des Kunden geschrieben.",
            "Wenn ein Kunde verärgert ist, bleibe höflich.",
            "Tonfall: ruhig und sachlich",
        ),
        "French": (
            "Réponds en deux phrases courtes.",
            "Tu dois rester poli.",
            "N'utilise jamais d'émojis.",
            "Chaque réponse est écrite dans la langue du client.",
            "Si un client est fâché, reste courtois.",
            "Style : calme et concis",
        ),
        "Spanish": (
            "Responde en dos frases cortas.",
            "Debes sonar amable.",
            "Nunca uses emojis.",
            "Cada respuesta se escribe en el idioma del cliente.",
            "Si un cliente está enfadado, sé cortés.",
            "Tono: tranquilo y educado",
        ),
        "Chinese": (
            "请用两句简短的话回答。",
            "你必须语气友好。",
            "绝不使用表情符号。",
            "每个回复都用客户的语言书写。",
            "如果客户生气，请保持礼貌。",
            "语气：冷静、礼貌",
        ),
    },
    "obligation": {
        "English": (
            "Count the shelves twice.",
            "Every bowl must be weighed.",
            "Never mix two clays.",
            "Firing on a Sunday is not done here.",
            "If a shelf is cracked, stop the firing.",
            "Only dry pots go into the kiln, always",
        ),
        "German": (
            "Zähle die Regale zweimal.",
            "Jede Schale muss gewogen werden.",
            "Mische niemals zwei Tone.",
            "Sonntags wird hier nicht gebrannt.",
            "Wenn ein Regal gesprungen ist, halte den Brand an.",
            "Trockene Töpfe kommen immer zuerst in den Ofen",
        ),
        "French": (
            "Compte les étagères deux fois.",
            "Chaque bol doit être pesé.",
            "Ne mélange jamais deux argiles.",
            "La cuisson du dimanche n'est pas faite ici.",
            "Si une étagère est fendue, arrête la cuisson.",
            "Les pots secs toujours en premier",
        ),
        "Spanish": (
            "Cuenta los estantes dos veces.",
            "Cada cuenco debe pesarse.",
            "Nunca mezcles dos arcillas.",
            "El domingo no se cuece aquí.",
            "Si un estante está roto, detén la cocción.",
            "Las piezas secas siempre primero",
        ),
        "Chinese": (
            "架子请数两遍。",
            "每只碗都必须称重。",
            "绝不混合两种黏土。",
            "周日不得烧窑。",
            "如果架子开裂，就停止烧制。",
            "干透的坯体始终先入窑",
        ),
    },
}
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


def drafted(title: str, text: str, sentence: str) -> tuple[bool, bool]:
    """Whether the module with the sentence is in the core, and whether only until it is labelled."""
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
    (module,) = (module for module in draft.modules if sentence in module.text)
    return module.always, module.until_labelled


@pytest.mark.parametrize(("kind", "language", "phrasing", "sentence"), list(cases()), ids=lambda value: value[:24])
def test_a_sentence_that_every_request_needs_is_core(kind: str, language: str, phrasing: str, sentence: str) -> None:
    """In whatever module and wherever it stands; labels don't take it out, unless it is on the module's subject."""
    for position in POSITIONS:
        for title, parts in (("Glazes", TOOL), ("Firing", TOPIC)):
            text = section(parts, sentence, position, is_bullet=phrasing == "bullet")
            is_core, is_until_labelled = drafted(title, text, sentence)
            assert is_core, (title, position)
            assert kind == "obligation" or not is_until_labelled, (title, position)


def test_without_such_a_sentence_the_tool_module_is_not_core() -> None:
    """Or the table shows nothing."""
    assert drafted("Glazes", "".join(TOOL), TOOL[0]) == (False, False)
    assert drafted("Firing", "".join(TOPIC), TOPIC[0]) == (True, True)
