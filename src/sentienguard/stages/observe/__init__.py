"""Observe: raw payloads to samples worth keeping.

Called by the agent's collector, which encodes, and by the control plane's ingest, which decodes.
What belongs here is pure: the frame on the wire (`wire`), the JSON inside it (`payload`) and what
is taken out of untrusted text before it leaves a host (`redact`). Reading files, sockets or clocks
does not belong here: that is `agent.collectors` on the host and `controlplane.api` at the centre.

A new field of a sample starts in `model.telemetry`, gets its place in `payload` (both directions)
and its case in the property test that says decode(encode(sample)) == sample.
"""
