"""A sentence-embedding model that runs on this machine, on its CPU, in a process of its own.

``known_models`` says where a model's file is and what is missing; ``prepared_model`` makes of it a folder that
``sentence_encoder`` runs; ``embedding_server`` is the process (``python -m litellm_prompt_router.local_embedding``) and
``server_place`` where its socket is and how it is started. Needs the extra [semantic].
"""
