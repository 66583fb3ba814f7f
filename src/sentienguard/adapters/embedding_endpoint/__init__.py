"""A hosted embedding model behind any OpenAI-compatible address (`POST /embeddings`).

Constructed by the control plane where the settings ask for it; offers ports.embedder. Nothing is
sent anywhere unless somebody sets `embeddings: hosted`.

    client    one request for many texts, its limits, its errors

What does not belong: what is embedded, and what may be trusted of it: a hosted model ranks, and is
not calibrated until it has a table of its own (stages.decide.retrieval.fitted).
"""
