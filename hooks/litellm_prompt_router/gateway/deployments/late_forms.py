"""In which form a deployment takes late modules: which hosts keep a system message inside a conversation, as data.

Everybody else gets notes, and so does who is named in neither table. Sources, checked 2026-11:

- CLAUDE-SYSTEM: platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages. A system message
  follows a user's message and is the last one or stands ahead of an assistant's, on the Claude API alone, not on
  Bedrock, Vertex or Foundry. A client may go on with a user's message or a system message of its own, so no place is
  safe for good: Claude gets notes. That settles Sonnet 5, too, which takes the role by LiteLLM's map and doesn't by
  Anthropic's page.
- PRESERVED: platform.claude.com/docs/en/build-with-claude/preserved-thinking
- XAI: docs.x.ai/docs/guides/chat, "in any sequence"
- WIRE: what LiteLLM 1.106 makes of a body (tests/gateway/test_provider_translation.py, test_messages_translation.py)
- MISTRAL: refuses a user's message behind a tool's (github.com/yetone/avante.nvim pull 2695)
"""

from __future__ import annotations

from litellm_prompt_router.cache_model import DeployedModel
from litellm_prompt_router.gateway.deployments.map_prices import map_entry
from litellm_prompt_router.request.types import LateForm

_KEEPS_LATER_SYSTEM = frozenset(
    {
        "xai",  # XAI
        "deepseek",  # WIRE; its chat template writes each message in its place
    }
)
"""Besides OpenAI's own models at OpenAI, Azure and OpenRouter: anywhere, in a row, ahead of whatever comes."""
_TAKES_USER_BEHIND_RESULT = frozenset(
    {
        "anthropic",  # WIRE: one user message of results and the note
        "azure_ai",  # WIRE, for Claude; of others there nothing is known
        "bedrock",  # WIRE
        "bedrock_converse",  # WIRE
        "vertex_ai",  # WIRE, Claude as anthropic, Gemini as gemini
        "gemini",  # WIRE: a content of its own
        "databricks",
        "openrouter",
        "xai",  # XAI
        "deepseek",
    }
)
"""Besides OpenAI's own models. Not Mistral (MISTRAL); of chat templates nothing is known, and some want user and
assistant in turns."""
_ANY_ORDER = ("claude", "gemini", "grok", "gpt-", "deepseek")
"""Models that don't mind, on hosts that have others as well."""
_HOLDS_TO_PREFIX = (
    "fable-5-1",  # PRESERVED, "starting with Claude Fable 5.1"
    "fable-5-2",  # PRESERVED, for every account
    "mythos-5-1",  # docs.aws.amazon.com/bedrock, claude-messages-thinking-block-binding: signs, doesn't check yet
    "mythos-5-2",
    "opus-5-5",  # these three by reports of refusals: github.com/anomalyco/opencode issue 46653
    "sonnet-5-5",
    "haiku-5-5",
)


def late_form(model: DeployedModel) -> LateForm:
    """How late modules reach a model on the chat endpoint."""
    return "message" if _is_openai(model) or model.provider in _KEEPS_LATER_SYSTEM else "note"


def takes_user_behind_result(model: DeployedModel) -> bool:
    """True where a note for a tool's result may be a user's message behind it, on the chat endpoint."""
    if _is_openai(model):
        return True
    return model.provider in _TAKES_USER_BEHIND_RESULT and any(name in model.known_name for name in _ANY_ORDER)


def holds_to_prefix(model: DeployedModel) -> bool:
    """True for a Claude that refuses replayed thinking when what stands ahead of it has changed, and for a new one."""
    if model.family != "claude":
        return False
    dashed = model.known_name.replace(".", "-")
    is_known = map_entry(model).get("input_cost_per_token") is not None
    return any(name in dashed for name in _HOLDS_TO_PREFIX) or not is_known


def _is_openai(model: DeployedModel) -> bool:
    at_openrouter = model.provider == "openrouter" and "/openai/" in model.name
    return model.is_openai or (model.family == "openai" and at_openrouter)
