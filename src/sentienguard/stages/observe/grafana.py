"""The webhook of Grafana's own alerting: Alertmanager's body, with more in it.

Called by controlplane.alert_senders. Grafana says `"version": "1"`; what it adds (`orgId`, `state`,
`title`, `message`, and `values`, `silenceURL`, `dashboardURL`, `panelURL` with each alert) is text
and addresses for people, of which nothing is kept. Its rules without data or with an error are
alerts called `DatasourceNoData` and `DatasourceError`, with the rule's name in the label
`rulename`; they take the usual way and open nothing that has a remedy.

A payload that somebody made with a template of their own is refused, unless it has this shape.

Format: https://grafana.com/docs/grafana/latest/alerting/, page webhook notifier
"""

from typing import Final

from sentienguard.stages.observe import alertmanager
from sentienguard.stages.observe.alert_batch import Batch

VERSIONS: Final = ("1", alertmanager.VERSION)  # 4: what Grafana sends through its Alertmanager


def parse(body: bytes) -> Batch:
    """Read one body. Raises Malformed, naming the place and what was expected there."""
    return alertmanager.parse(body, versions=VERSIONS, sender="Grafana")
