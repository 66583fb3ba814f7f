"""Observe: raw payloads to samples worth keeping.

Called by the agent's collector, which encodes, and by the control plane's ingest, which decodes.
What belongs here is pure: the frame on the wire (`wire`), the JSON inside it (`payload`) and what
is taken out of untrusted text before it leaves a host (`redact`). Reading files, sockets or clocks
does not belong here: that is `agent.collectors` on the host and `controlplane.api` at the centre.

A family reads alerts that other systems send: `alertmanager`, `grafana`, `datadog`, `pagerduty`,
`cloudevents`, `eventbridge`, `eventgrid`, `pubsub`, one file each, on what they share in
`alert_batch`. To add a sender:
its module with `parse`, a row in `controlplane.alert_senders`, its purpose in
`controlplane.api.schemas`, a table of real bodies in `tests/unit/observe`, and a page in
docs/how-to.

A new field of a sample starts in `model.telemetry`, gets its place in `payload` (both directions)
and its case in the property test that says decode(encode(sample)) == sample.
"""
