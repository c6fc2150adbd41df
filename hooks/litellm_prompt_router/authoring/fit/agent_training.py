"""What the agent's own words call for: learned from what it said while it worked on labelled messages.

Its words are a positive example of every module that the message needed, in whose loop they were said, and that no
earlier tool call had brought. Their scores come from tables that hadn't seen these conversations.

They only add, so no promise rests on them, and their threshold is one of cost: a module is brought where that is
expected to cost less than the miss that it may spare. A miss is taken to cost what sending the whole prompt once does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from litellm_prompt_router.authoring.fit.gate_training import HeldOutCase, tokens_of_topics
from litellm_prompt_router.authoring.fit.table_training import libraries
from litellm_prompt_router.authoring.fit.training_documents import Said
from litellm_prompt_router.files.labelled_messages import Case
from litellm_prompt_router.profile.fitted import AGENT_INPUTS, AgentWords, Flags, Floats, ScoreTable
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import WeightedConversation, with_required
from litellm_prompt_router.request.route.agent_words import said_by, spoken_inputs
from litellm_prompt_router.request.route.scores import NOTHING, score
from litellm_prompt_router.request.route.triggers import folded
from litellm_prompt_router.request.types import Turn

MIN_TEXTS = 60
"""Texts of the agent's: fewer say too little, and then its words are scored nowhere."""
MIN_NEEDED = 30
"""Needs among them."""
MISS_PROMPTS = 1.0
"""What a miss costs, in whole prompts sent once."""
REGULARISATION = 1.0


def heard_in(case: Case, said: Said, seen: WeightedConversation, table: ScoreTable) -> tuple[Floats, ...]:
    """AGENT_INPUTS for each column, for each text that the agent said for this case."""
    user = np.full((len(table.columns), 2), NOTHING)
    for weighed in seen.seen:
        user = np.maximum(user, weighed.inputs[:, :2])
    heard = []
    for text in said.get((*case.history, case.text), ()):
        scores = score(table, folded(said_by(Turn("assistant", text))))
        if scores.is_known:
            heard.append(np.hstack((spoken_inputs(scores), user)))
    return tuple(heard)


def learn_agent_words(profile: Profile, columns: Sequence[int], observed: Sequence[HeldOutCase]) -> AgentWords | None:
    """When the agent's words bring a module; None where there is too little to learn it from."""
    linear_model, _ = libraries()
    inputs: list[Floats] = []
    wanted: list[Flags] = []
    texts = 0
    for item in observed:
        free = ~item.weighted.used[list(columns)]
        for heard in item.heard:
            inputs.append(heard[free])
            wanted.append(item.needed[list(columns)][free])
            texts += 1
    if texts < MIN_TEXTS:
        return None
    design, labels = np.concatenate(inputs), np.concatenate(wanted)
    if not MIN_NEEDED <= labels.sum() < len(labels):
        return None
    middle, spread = design.mean(axis=0), design.std(axis=0)
    used = spread > 1e-9
    model = linear_model.LogisticRegression(C=REGULARISATION, max_iter=1000)
    model.fit((design[:, used] - middle[used]) / spread[used], labels)
    weights: Floats = np.zeros(AGENT_INPUTS)
    weights[used] = model.coef_[0] / spread[used]
    bias = float(model.intercept_[0] - weights @ middle)
    return AgentWords(
        weights=np.round(weights, 6), bias=round(bias, 6), thresholds=_thresholds(profile, columns), texts=texts
    )


def with_heard(item: HeldOutCase, profile: Profile, columns: Sequence[int], words: AgentWords) -> HeldOutCase:
    """With what the agent's first words call for among what its first answer brings."""
    if not item.first_heard or not item.brought:
        return item
    values = item.first_heard[0] @ words.weights + words.bias
    called = with_required((columns[column] for column in np.flatnonzero(values >= words.thresholds).tolist()), profile)
    return replace(item, brought=tuple(flags | called for flags in item.brought))


def _thresholds(profile: Profile, columns: Sequence[int]) -> Floats:
    """The log-odds at which a module costs as much needlessly as its miss: p x miss = (1 - p) x module."""
    tokens = tokens_of_topics(profile)
    thresholds: Floats = np.log(np.maximum(1.0, tokens[list(columns)]) / (MISS_PROMPTS * max(1.0, tokens.sum())))
    return thresholds.round(4)
