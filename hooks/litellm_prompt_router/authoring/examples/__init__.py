"""User messages for each module of a profile, written by a language model and labelled a second time by it.

``write_examples`` is the procedure. ``wording`` says what the model is asked and reads its answers, ``asking``
repeats what fails, ``overlap`` finds near-duplicates, ``harvest`` holds what was written so far, ``example_files``
stores it between runs and puts it into labelled messages and profile.yaml. The model itself is passed in.
"""

from __future__ import annotations

from litellm_prompt_router.authoring.examples.asking import AskedModel, ModelAnswer, ModelFailedError, PatientModel
from litellm_prompt_router.authoring.examples.example_files import (
    add_to_labelled,
    add_to_profile,
    load_harvest,
    save_harvest,
)
from litellm_prompt_router.authoring.examples.harvest import Harvest, Message, ModuleHarvest, routed
from litellm_prompt_router.authoring.examples.write_examples import write_examples

__all__ = [
    "AskedModel",
    "Harvest",
    "Message",
    "ModelAnswer",
    "ModelFailedError",
    "ModuleHarvest",
    "PatientModel",
    "add_to_labelled",
    "add_to_profile",
    "load_harvest",
    "routed",
    "save_harvest",
    "write_examples",
]
