"""Random prompts from a grammar of everything that real ones are made of, in several scripts and line endings."""

from __future__ import annotations

import re

from hypothesis import strategies as st

SCRIPTS = (
    "search tools file report query chart must never workspace deploy invoice review branch",
    "größe naïve façade Übersicht zusammenfassen löschen Datei Bericht prüfen",
    "данные таблица отчет никогда файлы поиск инструменты правила",
    "δεδομένα αρχείο αναφορά ποτέ εργαλεία αναζήτηση",
    "数据库 查询 工具 规则 报告 文件 必须 用户",
    "データ 検索 ファイル ルール 報告 必ず",
    "بيانات ملف تقرير أبدا أدوات بحث",
    "डेटा फ़ाइल रिपोर्ट नियम उपकरण खोज",
    "נתונים קובץ דוח לעולם כלים חיפוש",
    "ข้อมูล ไฟล์ รายงาน เครื่องมือ ค้นหา",
)
ENDINGS = ("\n", "\r\n", "\r")
QUIRKS = (
    "\ufeff", "\0", "\u2028", "\u2029", "\u0301", "\x85", "\x0b", "\x1c", "{{date}}", "{{slot_1}}", "{{{path}}}", "{{",
    "}}", "\t", "\u00a0", "🔐", "<", "</", "```", "~~~", "|", "====", "---", "**", "\\", '"', "'", "#", "[x](#y)",
)  # fmt: skip
phrases = st.tuples(st.sampled_from(SCRIPTS), st.lists(st.integers(0, 11), min_size=1, max_size=7)).map(
    lambda pick: " ".join((pick[0].split() * 4)[number] for number in pick[1])
)
noise = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("#<>/`~|=-*_{}\r\n \t")), max_size=20
)
lines = st.one_of(phrases, phrases.map(lambda p: f"{p}."), st.tuples(phrases, st.sampled_from(QUIRKS)).map("".join))


def _tagged(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = st.sampled_from(["rules", "Example", "tool_use", "env", "правила", "x-y"])
    return st.tuples(names, inside).map(lambda pair: f"<{pair[0]}>\n{pair[1]}\n</{pair[0]}>")


def _fenced(marks: str, body: list[str]) -> str:
    return "\n".join([marks, *body, marks.split("p")[0].split("j")[0]])


blocks = st.one_of(
    st.tuples(st.integers(1, 6), phrases).map(lambda p: "#" * p[0] + f" {p[1]}"),
    phrases.map(str.upper),
    phrases.map(lambda p: f"**{p}**"),
    st.tuples(phrases, st.sampled_from(["=====", "-----"])).map("\n".join),
    st.sampled_from(["====", "----", "***", "───────"]),
    st.tuples(st.integers(1, 9), st.integers(1, 9), phrases).map(lambda p: f"{p[0]}.{p[1]} {p[2]}"),
    st.lists(st.tuples(st.integers(0, 3), lines), min_size=1, max_size=6).map(
        lambda items: "\n".join(f"{'  ' * depth}- {line}" for depth, line in items)
    ),
    st.lists(phrases, min_size=1, max_size=4).map(lambda rows: "\n".join(f"| {row} | 1 |" for row in rows)),
    st.builds(_fenced, st.sampled_from(["```", "```python", "~~~", "````", "```json"]), st.lists(lines, max_size=5)),
    st.lists(lines, min_size=1, max_size=5).map("\n".join),
    noise,
)
blocks = st.recursive(
    blocks, lambda inner: _tagged(st.lists(inner, min_size=1, max_size=4).map("\n\n".join)), max_leaves=8
)


@st.composite
def prompts(draw: st.DrawFn) -> str:
    """Blocks with blank lines or none between them; one line ending, or any on each line."""
    text = ""
    for block in draw(st.lists(blocks, min_size=1, max_size=14)):
        text += block + draw(st.sampled_from(["\n", "\n\n", "\n\n", "\n\n\n", " \n"]))
    text = draw(st.sampled_from(["", "", "\ufeff", "\n", " "])) + text
    if draw(st.booleans()):
        text = text.rstrip()
    ending = draw(st.sampled_from([*ENDINGS, None]))
    if ending is not None:
        text = text.replace("\n", ending)
    else:
        endings = draw(st.lists(st.sampled_from(ENDINGS), min_size=1, max_size=7))
        text = "".join(
            part if part != "\n" else endings[number % len(endings)]
            for number, part in enumerate(re.split("(\n)", text))
        )
    return text or "x"
