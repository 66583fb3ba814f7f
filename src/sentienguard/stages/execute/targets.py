"""Which address or file a field means: written out, or the one of a service.

Called by steps and checks that take `url`/`url_of`, `file`/`log_of` or `path`/`file_of`.
"""

from collections.abc import Mapping

from sentienguard.model import playbook
from sentienguard.stages.execute import work


def url(fields: Mapping[str, playbook.Field], context: work.Context) -> str:
    """Return `url`, or the health address of the service `url_of`. Raises work.NotPossible."""
    if "url" in fields:
        return context.bound.text(fields["url"])
    name = context.bound.text(fields.get("url_of"))
    return _declared(context.host.services.describe(name).health_url, name, "health_url")


def log_file(fields: Mapping[str, playbook.Field], context: work.Context) -> str:
    """Return `file`, or the log of the service `log_of`. Raises work.NotPossible."""
    if "file" in fields:
        return context.bound.text(fields["file"])
    name = context.bound.text(fields.get("log_of"))
    return _declared(context.host.services.describe(name).log_file, name, "log_file")


def config_file(fields: Mapping[str, playbook.Field], context: work.Context) -> str:
    """Return `path`, or the configuration of the service `file_of`. Raises work.NotPossible."""
    if "path" in fields:
        return context.bound.text(fields["path"])
    name = context.bound.text(fields.get("file_of"))
    return _declared(context.host.services.describe(name).config_file, name, "config_file")


def _declared(value: str | None, service: str, what: str) -> str:
    if value is None:
        raise work.NotPossible(f"service {service} has no {what}; declare it in agent.json")
    return value
