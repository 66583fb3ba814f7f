"""One Kubernetes cluster, as a relay agent acts on it: HTTPS and JSON of the standard library.

Called by agent.relays. What belongs here: the requests (`api`), what the answers mean (`reading`),
which change an act is (`edits`), and the three together as a target (`target`). What does not:
credentials beyond the files that agent.json names, kubeconfig plugins.

`events` is for the centre, made by controlplane.app_clusters: it lists and watches events with an
account of its own, and changes nothing.

The set of requests is closed: GET of deployments, replica sets, pods, nodes and autoscalers, PATCH
of one deployment, node or autoscaler, DELETE of one pod. To add an act: its row in
`playbook.objects.ACTS`, its edits in `edits`, its case in tests/integration/relays.
"""
