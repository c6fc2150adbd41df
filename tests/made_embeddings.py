"""The harbour profile, fitted with the emulated embedding model, as files and as objects."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from litellm_prompt_router.authoring.fit import Embedded, FitOptions, columns_of, fit, texts_to_embed
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.profile.fitted import Fitted
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import Lookup, MessageEmbedding, Router, no_embeddings
from litellm_prompt_router.request.types import Turn
from tests.authoring.test_fitted_routing import TOPICS, labelled, message, silent
from tests.emulators.embeddings import vector_of
from tests.written_fit import write_fitted

CORE = "You run the office of a small harbour and answer briefly.\n\n"


def meanings(texts: Sequence[str]) -> dict[str, MessageEmbedding]:
    """The emulated model's vectors, as they come out of an answer."""
    found = {text: MessageEmbedding.of(vector_of(text)) for text in texts}
    return {text: meaning for text, meaning in found.items() if meaning is not None}


def lookup(_model: str, texts: Sequence[str]) -> Mapping[str, MessageEmbedding]:
    """A Lookup that knows every text."""
    return meanings(texts)


Embed = Callable[[Sequence[str]], dict[str, MessageEmbedding]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """A message that the words alone route otherwise than words and meaning together."""

    text: str
    by_words: tuple[str, ...]
    fused: tuple[str, ...]


def harbour_folder(root: Path, router: Mapping[str, object]) -> Path:
    """Writes the folder ``harbour`` under ``root``, not fitted."""
    folder = root / "harbour"
    folder.mkdir(parents=True)
    chance = random.Random(2)
    modules: list[dict[str, object]] = [{"id": "core", "file": "core.txt", "title": "Core", "always": True}]
    (folder / "core.txt").write_text(CORE)
    for name, words in TOPICS.items():
        (folder / f"{name}.txt").write_text(f"## {name}\n" + f"Rules about {words} and {name}.\n" * 5 + "\n")
        examples = [message(chance, name) for _ in range(12)]
        modules.append(
            {"id": name, "file": f"{name}.txt", "title": name, "tools": [f"use_{name}"], "examples": examples}
        )
    document = {"profile": "harbour", "version": "1", "router": router, "modules": modules}
    (folder / "profile.yaml").write_text(yaml.safe_dump(document))
    return folder


def embedded_profile(root: Path, model: str, timeout_seconds: float, embed: Embed = meanings) -> Profile:
    """Writes that folder and fits it; the profile as a proxy would load it."""
    folder = harbour_folder(root, {"embedding_model": model, "embedding_timeout": timeout_seconds})
    plain = load_profile(folder, len)
    if (model, embed) not in _FITTED:
        cases = labelled(420)
        embedded = Embedded(model=model, known=embed(texts_to_embed(plain, columns_of(plain), cases)))
        _FITTED[model, embed] = fit(plain, cases, FitOptions(), silent, embedded).fitted
    write_fitted(folder, _FITTED[model, embed], plain.modules)
    return load_profile(folder, len)


_FITTED: dict[tuple[str, Embed], Fitted] = {}
"""A fit takes seconds, and the same profile is fitted for several files of tests."""


def modules_of(profile: Profile, texts: Sequence[str], known: Lookup = no_embeddings) -> tuple[str, ...]:
    """What a conversation of these user messages gets."""
    turns: list[Turn] = []
    for text in texts:
        turns += [Turn(role="user", text=text), Turn(role="assistant", text="Done.")]
    return Router(profile).decide(turns[:-1], lookup=known).modules


def telling(profile: Profile, count: int, known: Lookup = lookup) -> list[Telling]:
    """So many messages that are routed otherwise, all of them different: of words that no label has."""
    found: dict[str, Telling] = {}
    chance = random.Random(41)
    for _ in range(2_000):
        text = " ".join("".join(chance.choices("aeioubdfklmnprstz", k=7)) for _ in range(4))
        by_words, fused = modules_of(profile, [text]), modules_of(profile, [text], known)
        if by_words != fused and text not in found:
            found[text] = Telling(text=text, by_words=by_words, fused=fused)
        if len(found) == count:
            return list(found.values())
    raise AssertionError(f"only {len(found)} messages tell words from meaning")
