"""The hooks that ours defines, doing nothing: what LiteLLM itself spends on having a callback."""

from typing import Any

from litellm.integrations.custom_logger import CustomLogger


class NoOpCallback(CustomLogger):  # type: ignore[misc]  # LiteLLM is untyped to mypy here
    """Leaves everything as it came."""

    async def async_pre_call_hook(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    async def async_pre_call_deployment_hook(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    async def async_post_call_response_headers_hook(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    async def async_logging_hook(self, kwargs: dict[str, Any], result: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        return kwargs, result

    async def async_log_success_event(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    async def async_post_call_failure_hook(self, *_: Any, **__: Any) -> None:
        """Nothing."""


handler = NoOpCallback()
