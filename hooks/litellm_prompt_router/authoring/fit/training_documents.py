"""What a table and module vectors learn from: module texts, examples, labelled messages, small talk."""

from __future__ import annotations

from collections.abc import Sequence

from litellm_prompt_router.authoring.fit.gate_training import EXAMPLE_CATEGORY
from litellm_prompt_router.authoring.fit.small_talk import SMALL_TALK
from litellm_prompt_router.authoring.fit.table_training import Document, labelled_documents, module_documents
from litellm_prompt_router.authoring.fit.vector_training import body_documents
from litellm_prompt_router.files.labelled_messages import Case, Conversations, Numbered
from litellm_prompt_router.profile.profile import Profile


def documents_of(
    profile: Profile, columns: Sequence[int], cases: Sequence[Numbered], known: Conversations
) -> list[Document]:
    """Module texts, examples, and the labelled messages for what each of them newly needs."""
    column_of = {profile.modules[n].id: column for column, n in enumerate(columns)}
    pairs = [
        (example, frozenset({column_of[module.id]}))
        for module in profile.modules
        for example in module.examples
        if module.id in column_of
    ]
    owners = {tool: module.id for module in profile.modules for tool in module.tools}
    for _, case in cases:
        used = {owners.get(tool) for tool in case.tool_calls}
        new = frozenset(column_of[id] for id in case.needs if id in column_of and (id not in used or not case.history))
        if new:
            pairs.append((case.text, new))
    return [*module_documents(profile, columns), *labelled_documents(pairs)]


def chat_documents(cases: Sequence[Numbered]) -> list[Document]:
    """Messages that need the core alone."""
    nothing: frozenset[int] = frozenset()
    needless = [case.text for _, case in cases if not case.needs and not case.history]
    return [Document(text=text, columns=nothing) for text in dict.fromkeys((*SMALL_TALK, *needless))]


def described(
    profile: Profile, columns: Sequence[int], documents: Sequence[Document], cases: Sequence[Numbered]
) -> list[Document]:
    """What module vectors learn from: the table's documents, and the modules' own texts in its words' place."""
    return [*documents, *body_documents(profile, columns), *chat_documents(cases)]


def examples_as_cases(profile: Profile) -> list[Case]:
    """Each example as a labelled message, of every module that has it."""
    needs: dict[str, list[str]] = {}
    for module in profile.modules:
        for example in module.examples:
            needs.setdefault(example, []).append(module.id)
    return [Case(text=text, category=EXAMPLE_CATEGORY, needs=tuple(ids)) for text, ids in needs.items()]
