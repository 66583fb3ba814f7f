"""A language model behind an address of the customer's choice, hosted or their own.

Constructed by the control plane where the settings ask for it; offers ports.adviser. Nothing is
sent anywhere unless somebody sets `adviser`.

    endpoint    one request within its limits of time and size, and the errors of HTTP
    chat        the OpenAI-compatible protocol (`POST /chat/completions`)
    messages    the Anthropic protocol (`POST /messages`)
    wire        foreign JSON, member by member
    events      server-sent events, which both use where an answer is streamed

What does not belong: what is asked, and what is believed of the answer (flow.advising,
stages.decide.advice_answer). To add a protocol: one module that writes a body and reads one, and a
row in `endpoint.PROTOCOLS`.

Written on the guarded way out (ports.outbound) instead of pydantic-ai-slim: the exact bodies that
crossed belong in the audit log, where a request goes is judged, an answer that drips or never ends
has to be cut off, and its two providers would bring the vendors' client libraries with them.
"""
