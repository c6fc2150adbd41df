"""The role of a piece of a prompt by its titles and wording: identity, rules, safety, output format, tools.

The words of titles are here, those of sentences in essential_words.toml. They cover the languages that agent prompts
are mostly written in; in any other, distinctive words and tool names decide, and what is unclear goes into the core.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from litellm_prompt_router.authoring.split.essential_words import FIRM
from litellm_prompt_router.authoring.split.word_pattern import WordPattern

Role = Literal["identity", "rules", "safety", "output format"]

FIRM_WORDS_PER_1000_CHARS = 4.0
"""An untitled text with more words of obligation than this is a set of rules."""


def _words(*lists: str) -> re.Pattern[str]:
    spaced = [word for words in lists for word in words.split()]
    return re.compile("|".join(spaced), re.IGNORECASE)


_SAFETY = _words(
    r"\bsafe(?:ty|ly|guards?)?\b \bsecur(?:e|ity)\b \bharm\w*\b \bprivacy\b \bconfidential\w*\b \bpermissions?\b"
    r" \bapprovals?\b \bsandbox\w*\b \brefus\w*\b \bethic\w*\b \bcopyright\b \bcredentials?\b \bcompliance\b",
    "sicherheit datenschutz sécurité confidentialité seguridad privacidad segurança sicurezza veiligheid"
    " безопасност конфиденциальн 安全 隐私 隱私 保密 セキュリティ 安全 보안 안전 أمان السلامة الأمن सुरक्षा güvenlik",
)
_RULES = _words(
    r"\brules?\b \bguidelines?\b \bprinciples?\b \bconstraints?\b \bmandates?\b \bimportant\b \bcritical\b \bpolic(?:y|ies)\b"
    r" \bmust\b \bnever\b \balways\b \brequirements?\b \binstructions?\b \breminders?\b \bguardrails?\b \blimitations?\b"
    r" \brestrictions?\b \bdo(?:'s|s)?\b \bdon[’']?ts?\b \bnotes?\b \bpriorit(?:y|ies)\b \bbehaviou?r\b \bconduct\b \bboundaries\b",
    "regeln richtlinien wichtig vorgaben grundsätze règles consignes contraintes reglas normas importante instrucciones"
    " regras instruções regole istruzioni regels правил важно инструкци ограничени 规则 規則 规范 準則 准则 重要 注意 原则"
    " 要求 限制 须知 ルール 制約 注意 원칙 규칙 지침 중요 قواعد تعليمات مهم नियम निर्देश kurallar önemli",
)
_IDENTITY = _words(
    r"\bidentity\b \brole\b \bpersona(?:lity)?\b \babout (?:you|me)\b \bwho you are\b \bintro(?:duction)?\b \boverview\b"
    r" \bmission\b \bobjectives?\b \bgoals?\b \bpurpose\b \bcapabilit(?:y|ies)\b \bprofile\b \bbackground\b \bcontext\b",
    "rolle identität aufgabe ziel überblick rôle identité objectif mission identidad objetivo papel função ruolo identità"
    " роль личность цель 角色 身份 目标 任务 簡介 简介 役割 目的 概要 역할 목표 개요 دور هوية الهدف भूमिका उद्देश्य rol amaç",
)
_FORMAT = _words(
    r"\boutput\b \brespon(?:se|ses|ding|siveness)\b \bformat(?:s|ting)?\b \bstyle\b \btone\b \bfinal (?:answer|message)\b"
    r" \bpresent(?:ing|ation)\b \bcommunicat\w+\b \bverbosity\b \bwriting\b \blanguage\b \bcitations?\b \banswers?\b \bvoice\b",
    "ausgabe antwort tonfall stil réponse sortie respuesta salida tono formato resposta saída risposta antwoord"
    " ответ формат стиль вывод 输出 輸出 格式 回复 回答 语气 風格 风格 出力 形式 応答 回答 口調 출력 형식 응답 الرد الإخراج تنسيق"
    " उत्तर प्रारूप yanıt biçim",
)
_TOOLS = _words(
    r"\btools?\b \bfunctions?\b \bcommands?\b \bapis?\b \bmcp\b \bplugins?\b \bactions?\b \bskills?\b \bintegrations?\b",
    "werkzeug funktionen befehle outils fonctions herramienta funciones ferramenta strument инструмент функци команд"
    " 工具 函数 函數 命令 ツール 関数 도구 함수 أداة أدوات الدوال उपकरण araç",
)
_FILLER = re.compile(
    r"\b(?:the|a|an|and|or|of|for|to|in|on|with|your|you|this|general|core|main|key|basic|additional|other|use|using|usage|how|"
    r"work|working|info|information|section|part|system|agent|assistant|user|users|operational|primary|overall|default|"
    r"more|all|new|what|when|things|best|practices?|do|not|is|are|as|it|final|global|be|have|examples?)\b|[\d\W_]+",
    re.IGNORECASE,
)
_ESSENTIAL = WordPattern(
    r"\b(?:allowed|blocked|denied|forbidden|prohibited|permitted|restricted) (?:\w+ )?"
    r"(?:commands?|actions?|tools?|domains?|paths?|operations?|files?|topics?)\b|\bread-?only\b"
    r"|\benvironment\b|\bsystem (?:info\w*|context)\b|\b(?:working|current) director(?:y|ies)\b"
    r"|\b(?:your )?workspace\b",
    r"\bumgebung\w*|\berlaubt\w*|\bverboten\w*|\bgesperrt\w*|\bberechtigung\w*|\benvironnement\b|\bautoris\w*"
    r"|\binterdi\w*|\bentorno\b|\bpermiti\w*|\bprohibid\w*|\bpermisos\b|环境|允许|禁止|权限|限制|環境|환경"
    r"|окружени\w*|разреш\w*|запрещ\w*",
)
"""Sections on environment and permissions, whatever else the title says."""


def role_of(headings: Sequence[str], enclosing: Sequence[str], text: str, *, is_first: bool) -> Role | None:
    """The role that puts a piece into the core; None without one.

    A title counts when it names nothing but the role ("Rules"); safety counts wherever it is named.
    """
    if is_first:
        return "identity"
    for title in (*headings, *enclosing):
        if _SAFETY.search(split_words(title)):
            return "safety"
    titles = [split_words(title) for title in headings]
    for title in titles or [split_words(title) for title in enclosing[-1:]]:
        rest = _FILLER.sub(" ", _RULES.sub(" ", _FORMAT.sub(" ", _IDENTITY.sub(" ", _TOOLS.sub(" ", title)))))
        if rest.strip() and not _names_only_role(title):
            continue
        for role, words in (("rules", _RULES), ("output format", _FORMAT), ("identity", _IDENTITY)):
            if words.search(title):
                return role  # type: ignore[return-value]  # mypy widens the literals of a tuple
    if any(_names_only_role(split_words(title)) and _RULES.search(split_words(title)) for title in enclosing):
        return "rules"
    if not titles and _firmness(text) >= FIRM_WORDS_PER_1000_CHARS:
        return "rules"
    return None


def is_about_tools(titles: Sequence[str]) -> bool:
    return any(_TOOLS.search(split_words(title)) for title in titles)


def is_about_output(titles: Sequence[str]) -> bool:
    return any(_FORMAT.search(split_words(title)) for title in titles)


def names_essentials(title: str) -> bool:
    """True for the title of a section on environment or permissions, which every request needs."""
    return _ESSENTIAL.search(split_words(title)) is not None


def split_words(title: str) -> str:
    """A title with its words separated: ``chain_of_thoughtRules`` is ``chain of thought Rules``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", title.replace("_", " ").replace("-", " "))


def _names_only_role(title: str) -> bool:
    """True when a title has nothing but words of a role and filler words."""
    rest = title
    for words in (_RULES, _FORMAT, _IDENTITY, _FILLER):
        rest = words.sub(" ", rest)
    return not rest.strip()


def _firmness(text: str) -> float:
    return 1000 * FIRM.count(text) / max(len(text), 1)
