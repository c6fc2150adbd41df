"""LiteLLM ``custom_auth`` from a file: the keys in keys.yaml and the master key are known, the rest get 401.

Virtual keys and their metadata normally need LiteLLM's database. This is for trying a setup without one: it
knows no budgets.
"""

import hmac
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from fastapi import HTTPException, Request
from litellm.constants import LITELLM_PROXY_ADMIN_NAME, LITELLM_PROXY_MASTER_KEY_ALIAS
from litellm.proxy._types import LitellmUserRoles, UserAPIKeyAuth, hash_token

ENVIRONMENT = "os.environ/"
SHA256_HEX = re.compile(r"[0-9a-f]{64}")
FIELDS = {"alias", "key", "team_id", "metadata", "team_metadata"}


def read_keys(path: Path, environment: Mapping[str, str]) -> dict[str, UserAPIKeyAuth]:
    """Identities by the hash of their key. Raises ValueError with every problem in the file."""
    keys: dict[str, UserAPIKeyAuth] = {}
    problems: list[str] = []
    for number, entry in enumerate(yaml.safe_load(path.read_text(encoding="utf-8"))):
        try:
            token = _token(entry, environment)
            if token in keys:
                raise ValueError(f"the same key as {keys[token].key_alias}")
            keys[token] = UserAPIKeyAuth(
                api_key=token,
                key_alias=entry["alias"],
                team_id=entry.get("team_id"),
                metadata=entry.get("metadata") or {},
                team_metadata=entry.get("team_metadata") or {},
            )
        except ValueError as error:
            problems.append(f"{path.name}[{number}]: {error}")
    if problems:
        raise ValueError("\n".join(problems))
    return keys


def _token(entry: Any, environment: Mapping[str, str]) -> str:
    """The hash of the entry's key. Raises ValueError for an entry in the wrong form."""
    if not isinstance(entry, dict) or not {"alias", "key"} <= set(entry) <= FIELDS:
        raise ValueError("wanted alias and key, with team_id, metadata and team_metadata if need be")
    key = str(entry["key"])
    if SHA256_HEX.fullmatch(key):
        return key
    if not key.startswith(ENVIRONMENT):
        raise ValueError(f"wanted a key as {ENVIRONMENT}NAME or its SHA-256 in hex")
    name = key.removeprefix(ENVIRONMENT)
    if not environment.get(name):
        raise ValueError(f"the environment has no {name}")
    token: str = hash_token(environment[name])
    return token


KEYS = read_keys(Path(__file__).with_name("keys.yaml"), os.environ)


async def user_api_key_auth(request: Request, api_key: str) -> UserAPIKeyAuth:
    """Who sends this request. Raises HTTPException 401 for a key that nobody has."""
    from litellm.proxy.proxy_server import master_key  # set after this file is loaded

    presented = hash_token(api_key or "")
    # Every hash is compared, each in constant time, so that the time taken says nothing about any key.
    matches = [identity for token, identity in KEYS.items() if hmac.compare_digest(token, presented)]
    if matches:
        return matches[0].model_copy(deep=True)
    if master_key and hmac.compare_digest(hash_token(master_key), presented):
        return UserAPIKeyAuth(
            api_key=LITELLM_PROXY_MASTER_KEY_ALIAS,
            user_id=LITELLM_PROXY_ADMIN_NAME,
            user_role=LitellmUserRoles.PROXY_ADMIN,
        )
    raise HTTPException(status_code=401, detail="Unknown API key.")
