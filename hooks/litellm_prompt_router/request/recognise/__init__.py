"""Recognition: which profile an incoming system prompt is, and where each module, slot and residue lies.

``aligner`` places one profile's modules on a text; ``catalogue`` finds the right profile among many first, by one
search over all of them (``line_index``, ``head_index``, ``window_hashes``). What is found out of a text is found out
once for all profiles that it is compared with (``searched_prompt``, ``searched_text``).
"""

from litellm_prompt_router.request.recognise.aligner import Aligner
from litellm_prompt_router.request.recognise.catalogue import Catalogue

__all__ = ["Aligner", "Catalogue"]
