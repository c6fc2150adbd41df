"""The question to a model about each module of a draft, and the draft with the answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from litellm_prompt_router.authoring.split.draft import Draft, DraftDoubt, DraftModule

MAX_TEXT_CHARS = 24_000
MAX_DESCRIPTION_CHARS = 200
MAX_WHEN_CHARS = 200
MAX_EXAMPLES = 12
MAX_EXAMPLE_CHARS = 300

_OBJECT = re.compile(r"\{[\s\S]*\}")
_TASK = """\
An AI agent's long system prompt has been cut into modules. For each request, a router sends the core modules and
those others that the user's message needs. You describe one module.

All modules, as `id: title`, `(core)` behind those that are always sent:
{modules}

Answer with one JSON object and nothing else:
{{"description": "one line on what the module covers",
 "when": "one line on when a request needs it: what the user wants or what the agent will have to do on the way, such as
  'a file has to be made, read or changed, also as the form of an answer'",
 "requires": ["ids of modules from the list that this one can't be understood or followed without; often none"],
 "examples": ["8 different short messages that a user of this agent could send and that need this module, in the words
  users choose, not those of the prompt, and in the language of the prompt"]}}"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleAnswer:
    """A model's answer about one module."""

    description: str
    when: str
    """When a request needs it; empty where the model didn't say."""
    requires: tuple[str, ...]
    examples: tuple[str, ...]


def question_of(draft: Draft, module: DraftModule) -> tuple[str, str]:
    """``(instructions, text)``: the first is the same for all modules, so that providers can cache it."""
    listed = "\n".join(f"{other.id}: {other.title}{' (core)' * other.always}" for other in draft.modules)
    text = module.text
    if len(text) > MAX_TEXT_CHARS:
        half = MAX_TEXT_CHARS // 2
        text = f"{text[:half]}\n[...]\n{text[-half:]}"
    return _TASK.format(modules=listed), f"The module {module.id}:\n\n{text}"


def key_of(draft: Draft, module: DraftModule, model: str) -> str:
    """A key to store the answer under: equal for the same question to the same model."""
    return hashlib.sha256("\0".join((model, *question_of(draft, module))).encode()).hexdigest()


def read_answer(reply: str) -> ModuleAnswer | None:
    """The answer in a model's reply; None when there is none in it."""
    match = _OBJECT.search(reply)
    try:
        document = json.loads(match[0]) if match is not None else None
    except (json.JSONDecodeError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("description"), str):
        return None
    return ModuleAnswer(
        description=" ".join(document["description"].split())[:MAX_DESCRIPTION_CHARS],
        when=" ".join(when.split())[:MAX_WHEN_CHARS] if isinstance(when := document.get("when"), str) else "",
        requires=_strings(document.get("requires")),
        examples=tuple(" ".join(e.split())[:MAX_EXAMPLE_CHARS] for e in _strings(document.get("examples"))),
    )


def with_answers(draft: Draft, answers: Mapping[str, ModuleAnswer | None]) -> Draft:
    """The draft with the model's descriptions, requirements and examples, by module id.

    Requirements that the text itself states stay. One that would close a circle is left out and becomes a doubt.
    """
    needs = {module.id: list(module.requires) for module in draft.modules}
    essential = {module.id for module in draft.modules if module.always and not module.until_labelled}
    core = {module.id for module in draft.modules if module.always}
    doubts: list[DraftDoubt] = []
    modules: list[DraftModule] = []
    for module in draft.modules:
        answer = answers.get(module.id)
        if answer is None:
            if module.id in answers:
                doubts.append(
                    DraftDoubt(module=module.id, text="the model's answer was unusable; drafted from the text")
                )
            modules.append(module)
            continue
        for needed in answer.requires if module.id not in essential else ():
            if needed == module.id or needed in essential or needed not in needs or needed in needs[module.id]:
                continue
            if module.always and needed not in core:
                continue  # what the core requires would always be sent
            if _reaches(needs, needed, module.id):
                doubts.append(
                    DraftDoubt(module=module.id, text=f"the model says it requires {needed}, which requires it")
                )
            else:
                needs[module.id].append(needed)
        examples = tuple(dict.fromkeys(e for e in answer.examples if e))[:MAX_EXAMPLES]
        modules.append(
            replace(
                module,
                description=answer.description or module.description,
                when="" if module.id in essential else answer.when or module.when,
                examples=module.examples if module.id in essential else examples or module.examples,
            )
        )
    modules = [replace(module, requires=tuple(needs[module.id])) for module in modules]
    return replace(draft, modules=tuple(modules), doubts=(*draft.doubts, *doubts))


def _reaches(needs: Mapping[str, list[str]], start: str, goal: str) -> bool:
    open_ids, seen = [start], {start}
    while open_ids:
        here = open_ids.pop()
        if here == goal:
            return True
        fresh = [needed for needed in needs.get(here, ()) if needed not in seen]
        seen.update(fresh)
        open_ids += fresh
    return False


def _strings(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
