"""Routing: from the conversation's own words and tool calls to the modules it needs, with evidence."""

from litellm_prompt_router.request.route.embeddings import Lookup, MessageEmbedding, no_embeddings
from litellm_prompt_router.request.route.message_needs import MOST_TOKENS_SHARE
from litellm_prompt_router.request.route.needed_modules import closure_of
from litellm_prompt_router.request.route.router import Router
from litellm_prompt_router.request.route.routing_answers import AnswerLookup, RoutingAnswer, RoutingQuestion, no_answers
from litellm_prompt_router.request.route.routing_model_part import with_model_choosing
from litellm_prompt_router.request.route.scores import Trace
from litellm_prompt_router.request.route.scores import values as gate_values
from litellm_prompt_router.request.route.triggers import TriggerProblem, check_trigger
from litellm_prompt_router.request.route.weighing import (
    WeightedConversation,
    values_by_module,
    weigh,
    with_required,
)

__all__ = [
    "MOST_TOKENS_SHARE",
    "AnswerLookup",
    "Lookup",
    "MessageEmbedding",
    "Router",
    "RoutingAnswer",
    "RoutingQuestion",
    "Trace",
    "TriggerProblem",
    "WeightedConversation",
    "check_trigger",
    "closure_of",
    "gate_values",
    "no_answers",
    "no_embeddings",
    "values_by_module",
    "weigh",
    "with_model_choosing",
    "with_required",
]
