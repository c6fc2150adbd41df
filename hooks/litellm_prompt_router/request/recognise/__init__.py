"""Recognition: which profile an incoming system prompt is, and where each module, slot and residue lies.

``align`` places one profile's modules on a text; ``catalogue`` finds the right profile among many first.
"""

from litellm_prompt_router.request.recognise.aligner import Aligner
from litellm_prompt_router.request.recognise.catalogue import Catalogue

__all__ = ["Aligner", "Catalogue"]
