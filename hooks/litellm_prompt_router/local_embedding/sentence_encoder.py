"""Runs a sentence-embedding model: a folder with ``model.onnx`` and ``tokenizer.json``, as exporters write it.

Beside these, what sentence-transformers writes is read where it is there: the prompt named ``query`` goes ahead of each
text, ``max_seq_length`` bounds it, and ``pooling_mode_cls_token`` takes the first token's vector instead of the mean.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.local_embedding.known_models import MODEL_FILE, TOKENIZER_FILE

MAX_TOKENS = 256
"""Of a text, its head and its tail: the time a text takes grows with its tokens, and requests wait for it."""
MAX_CHARS = 20_000
TAIL_SHARE = 0.4
POOLED = "sentence_embedding"
"""An output of this name is the text's vector; any other first output is the tokens'."""
REMEDY = "export it again; a folder that `prompt-router semantic` made is made anew once it is removed"
PROMPTS_FILE, LIMITS_FILE, POOLING_FILE = (
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
)


class SentenceEncoder:
    """A loaded model. ``packed`` may be called from several threads."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Raises ConfigurationError for a folder that holds no model that runs."""
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
            self._session = onnxruntime.InferenceSession(
                str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer.no_padding()
            self._tokenizer.no_truncation()
            prompts = _mapping(folder / PROMPTS_FILE).get("prompts")
            self._prefix = str(prompts.get("query", "")) if isinstance(prompts, dict) else ""
            limit = _mapping(folder / LIMITS_FILE).get("max_seq_length")
            self._takes_first = _mapping(folder / POOLING_FILE).get("pooling_mode_cls_token") is True
        except Exception as error:
            raise ConfigurationError(
                [f"{folder}: no model that runs here ({type(error).__name__}); {REMEDY}"]
            ) from None
        self._max_tokens = min(MAX_TOKENS, limit) if isinstance(limit, int) and limit > 8 else MAX_TOKENS
        outputs = [each.name for each in self._session.get_outputs()]
        self._output = POOLED if POOLED in outputs else outputs[0]
        self._inputs = [each.name for each in self._session.get_inputs()]
        if "input_ids" not in self._inputs or set(self._inputs) - {"input_ids", "attention_mask", "token_type_ids"}:
            raise ConfigurationError([f"{folder}: asks for {', '.join(self._inputs)}; name a text encoder's export"])

    @property
    def prefix(self) -> str:
        """What goes ahead of each text."""
        return self._prefix

    def tokens(self, text: str) -> list[int]:
        """The text's token ids as the model gets them."""
        ids: list[int] = self._tokenizer.encode(self._prefix + text[:MAX_CHARS]).ids
        if len(ids) > self._max_tokens:
            tail = int(self._max_tokens * TAIL_SHARE)
            ids = ids[: self._max_tokens - tail] + ids[-tail:]
        return ids

    def packed(self, text: str) -> bytes:
        """The text's vector, of length one, as little-endian half floats; empty where it has none."""
        ids = self.tokens(text)
        if not ids:
            return b""
        given: dict[str, Any] = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, len(ids)), np.int64),
            "token_type_ids": np.zeros((1, len(ids)), np.int64),
        }
        answer = np.asarray(self._run(given), np.float64)[0]
        vector = answer if answer.ndim == 1 else answer[0] if self._takes_first else answer.mean(axis=0)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0.0:
            return b""
        packed: bytes = (vector / length).astype("<f2").tobytes()
        return packed

    def _run(self, given: dict[str, Any]) -> Any:
        return self._session.run([self._output], {name: given[name] for name in self._inputs})[0]


def _mapping(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    value = json.loads(path.read_text("utf-8"))
    return value if isinstance(value, dict) else {}
