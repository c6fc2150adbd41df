"""The draft profile of an agent that was found in traffic."""

from __future__ import annotations

from litellm_prompt_router.authoring.learn import Agent
from litellm_prompt_router.authoring.split import Draft, split_prompt, with_wrappers
from litellm_prompt_router.authoring.split.captured_use import CapturedUse, with_captured_use


def draft_agent(agent: Agent, name: str) -> Draft:
    """Its prompt in modules, what surrounds user messages, and what the traffic shows of each module."""
    draft = with_wrappers(split_prompt(agent.samples, name=name, tools=agent.tools), agent.messages)
    return with_captured_use(
        draft,
        CapturedUse(
            calls=agent.calls,
            conversations=agent.conversations,
            declared_in=agent.declared_in,
            called_in=agent.called_in,
            messages=tuple(zip(agent.messages, agent.message_tools, strict=True)),
        ),
    )
