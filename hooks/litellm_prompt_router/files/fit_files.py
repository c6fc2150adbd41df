"""The two files that `prompt-router fit` leaves in a profile's folder.

``router.json`` is for people and diffs: format, digest of the profile it was made for, calibration, gate, scored
modules. ``router.npz`` is the table: a zip of NumPy arrays without pickled objects. ``tokens`` and ``pieces``
are UTF-8 text, a name a line in row order; ``token_scores`` and ``piece_scores`` have a row for each and a column
for each scored module; ``token_weights``, ``is_chat_token`` and ``bias`` are what profile/fitted.py says. The same
fit gives the same bytes.

Fitted with an embedding model, ``router.json`` has ``semantics`` (the model's name, the fused gate and its own
calibration), and the table ``module_vectors`` and ``module_bias``, a row for each scored module. Where it could be
learned when the agent's own words bring a module, ``router.json`` has ``agent_words``; where labels tell how likely
conversations are to need a module later, ``later``, a chance by module id.

A table for other module texts than the profile has now is a configuration problem: the proxy doesn't start with
it, since its promise is void.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.problems import explain_validation_error
from litellm_prompt_router.files.cascade_json import cascade_for_file, cascade_of
from litellm_prompt_router.files.router_json import (
    FitJson,
    agent_words_for_file,
    agent_words_of,
    calibration_for_file,
    calibration_of,
    gate_for_file,
    gate_of,
)
from litellm_prompt_router.profile.fitted import Fitted, ScoreTable, Semantics, TokenRows
from litellm_prompt_router.profile.profile import Module

FORMAT = 2
FIT_FILE = "router.json"
TABLE_FILE = "router.npz"
SHORT_DIGEST = 12
LATER_DIGITS = 4
_EPOCH = (1980, 1, 1, 0, 0, 0)


def digest_of(modules: Sequence[Module]) -> str:
    """What a table is tied to: the modules' order, texts, and all that routes beside the scores."""
    facts = [
        [
            module.id,
            [part if isinstance(part, str) else [part.name] for part in module.parts],
            module.always,
            module.requires,
            module.triggers,
            module.tools,
        ]
        for module in modules
    ]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=True).encode()).hexdigest()


def routing_digest(modules: Sequence[Module]) -> str:
    """What a tuning is tied to, beside the fit: all that ``digest_of`` covers, and what a person marked optional."""
    facts = [digest_of(modules), *(module.id for module in modules if module.optional)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:SHORT_DIGEST]


def fit_digest(folder: Path, embedding_model: str | None) -> str:
    """A short digest of a fit that was read, as it is used with this embedding model or without one."""
    try:
        raw = (folder / FIT_FILE).read_bytes()
    except OSError as error:
        raise ConfigurationError([f"{folder / FIT_FILE}: can't be read ({error.strerror})"]) from None
    return hashlib.sha256(json.dumps(embedding_model).encode() + raw).hexdigest()[:SHORT_DIGEST]


def read_fitted(folder: Path, where: str, modules: Sequence[Module]) -> Fitted | None:
    """What was fitted for this profile; None where nothing was. Raises ConfigurationError."""
    if not (folder / FIT_FILE).is_file():
        return None
    path = f"{where}/{FIT_FILE}"
    again = "run `prompt-router fit` again, or delete router.json to route by triggers alone"
    try:
        stated = FitJson.model_validate_json((folder / FIT_FILE).read_bytes())
    except ValidationError as error:
        raise ConfigurationError(
            f"{line}; {again}" for line in explain_validation_error(error, path, FitJson)
        ) from None
    except OSError as error:
        raise ConfigurationError([f"{path}: can't be read ({error.strerror}); {again}"]) from None
    if stated.profile_digest != digest_of(modules):
        raise ConfigurationError(
            [f"{path}: made for other module texts, triggers or tools than the profile's; {again}"]
        )
    try:
        raw = (folder / TABLE_FILE).read_bytes()
    except OSError as error:
        raise ConfigurationError([f"{where}/{TABLE_FILE}: can't be read ({error.strerror}); {again}"]) from None
    if hashlib.sha256(raw).hexdigest() != stated.table_sha256:
        raise ConfigurationError([f"{where}/{TABLE_FILE}: not the table that {FIT_FILE} was made with; {again}"])
    order = {module.id: number for number, module in enumerate(modules)}
    try:
        return _fitted(stated, raw, order)
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigurationError([f"{where}/{TABLE_FILE}: damaged ({error}); {again}"]) from None


def refit(raw: bytes, before: Sequence[Module], after: Sequence[Module]) -> bytes | None:
    """router.json, made for ``before``, for the texts of ``after``; None where more than texts changed."""
    if [_routing(module) for module in before] != [_routing(module) for module in after]:
        return None
    return _document({**json.loads(raw), "profile_digest": digest_of(after)})


def _routing(module: Module) -> tuple[object, ...]:
    return (module.id, module.always, module.requires, module.triggers, module.tools)


def fitted_files(fitted: Fitted, modules: Sequence[Module]) -> dict[str, bytes]:
    """Both files by their name, the table first."""
    table, semantics = fitted.table, fitted.semantics
    vectors: dict[str, Any] = {}
    if semantics is not None:
        vectors = {"module_vectors": semantics.vectors.astype(np.float16), "module_bias": semantics.bias}
    raw = _packed(
        tokens=_named(table.tokens),
        token_scores=table.token_scores.astype(np.float16),
        token_weights=table.token_weights,
        is_chat_token=table.is_chat_token,
        pieces=_named(table.pieces),
        piece_scores=table.piece_scores.astype(np.float16),
        bias=table.bias,
        **vectors,
    )
    ids = [modules[column].id for column in table.columns]
    document = {
        "format": FORMAT,
        "profile_digest": fitted.digest,
        "table_sha256": hashlib.sha256(raw).hexdigest(),
        "calibration": calibration_for_file(fitted.calibration),
        "gate": gate_for_file(fitted.gate, ids),
        "unseen_weight": table.unseen_weight,
        "trusts_lists": fitted.trusts_lists,
    }
    if semantics is not None:
        document["semantics"] = {
            "embedding_model": semantics.model,
            "calibration": calibration_for_file(semantics.calibration),
            "gate": gate_for_file(semantics.gate, ids),
        }
    if fitted.cascade is not None:
        document["cascade"] = cascade_for_file(fitted.cascade)
    if fitted.agent_words is not None:
        document["agent_words"] = agent_words_for_file(fitted.agent_words, ids)
    if fitted.later_chances:
        document["later"] = {id: round(chance, LATER_DIGITS) for id, chance in fitted.later_chances.items()}
    return {TABLE_FILE: raw, FIT_FILE: _document(document)}


def _document(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode()


def _fitted(stated: FitJson, raw: bytes, order: dict[str, int]) -> Fitted:
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        tokens, pieces = _rows(arrays["tokens"]), _rows(arrays["pieces"])
        table = ScoreTable(
            columns=tuple(order[id] for id in stated.gate.offsets),
            tokens=tokens,
            token_scores=arrays["token_scores"].astype(np.float32),
            token_weights=arrays["token_weights"].astype(np.float32),
            is_chat_token=arrays["is_chat_token"].astype(np.bool_),
            pieces=pieces,
            piece_scores=arrays["piece_scores"].astype(np.float32),
            unseen_weight=stated.unseen_weight,
            bias=arrays["bias"].astype(np.float64),
        )
        semantics = None
        if stated.semantics is not None:
            semantics = Semantics(
                model=stated.semantics.embedding_model,
                vectors=arrays["module_vectors"].astype(np.float32),
                bias=arrays["module_bias"].astype(np.float64),
                gate=gate_of(stated.semantics.gate),
                calibration=calibration_of(stated.semantics.calibration),
            )
    size = len(table.columns)
    if not (
        table.token_scores.shape == (len(tokens), size)
        and table.piece_scores.shape == (len(pieces), size)
        and table.token_weights.shape == table.is_chat_token.shape == (len(tokens),)
        and table.bias.shape == (size,)
        and np.isfinite(table.token_scores).all()
        and np.isfinite(table.piece_scores).all()
        and np.isfinite(table.bias).all()
        and (table.token_weights >= 0).all()
    ):
        raise ValueError("its arrays don't fit together")
    if semantics is not None and not _is_sound(semantics, stated, size):
        raise ValueError("its module vectors don't fit together")
    return Fitted(
        digest=stated.profile_digest,
        table=table,
        gate=gate_of(stated.gate),
        calibration=calibration_of(stated.calibration),
        trusts_lists=stated.trusts_lists,
        semantics=semantics,
        cascade=None if stated.cascade is None else cascade_of(stated.cascade),
        agent_words=None if stated.agent_words is None else agent_words_of(stated.agent_words, [*stated.gate.offsets]),
        later_chances=_known(stated.later, order),
    )


def _known(later: dict[str, float] | None, order: dict[str, int]) -> dict[str, float] | None:
    """Raises KeyError where it names other modules."""
    return None if later is None else {id: chance for id, chance in later.items() if order[id] >= 0}


def _is_sound(semantics: Semantics, stated: FitJson, size: int) -> bool:
    is_shaped = semantics.vectors.ndim == 2 and semantics.vectors.shape[0] == size and semantics.bias.shape == (size,)
    is_finite = bool(np.isfinite(semantics.vectors).all() and np.isfinite(semantics.bias).all())
    return (
        is_shaped
        and is_finite
        and stated.semantics is not None
        and [*stated.semantics.gate.offsets] == [*stated.gate.offsets]
    )


def _packed(**arrays: Any) -> bytes:
    """An .npz without the clock in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue())
    return buffer.getvalue()


def _named(names: Any) -> Any:
    return np.frombuffer("\n".join(names).encode(), dtype=np.uint8)


def _rows(names: Any) -> TokenRows:
    text = names.tobytes().decode()
    return TokenRows((name, row) for row, name in enumerate(text.split("\n"))) if text else TokenRows()
