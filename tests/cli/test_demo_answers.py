"""``demo`` against answers that must be exact."""

from __future__ import annotations

import httpx
import pytest
import respx

from tests.cli.conftest import Run

URL = "http://127.0.0.1:4999"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(401, json={"error": {"message": "bad key"}}), "401"),
        (httpx.Response(502, text="<html>no upstream</html>"), "502"),
        (httpx.Response(200, json={"choices": []}), "x-prompt-router"),
    ],
    ids=["wrong key", "gateway", "proxy without the router"],
)
def test_what_the_proxy_answers_is_said(run: Run, answer: httpx.Response, said: str) -> None:
    """Exit code 1 and the reason, no traceback."""
    with respx.mock(base_url=URL) as proxy:
        proxy.post("/v1/chat/completions").mock(return_value=answer)
        result = run("demo", "--base-url", URL, "--api-key", "sk-x")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.output
