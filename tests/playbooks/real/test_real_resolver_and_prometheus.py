"""A real dnsmasq that hangs, and a real Prometheus whose configuration was spoilt."""

import contextlib
import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.servers import programs
from tests.support import real_playbooks

pytestmark = pytest.mark.integration
RESOLVED_BY = Path("/etc/resolv.conf")
DNSMASQ = ("dnsmasq", "/usr/sbin/dnsmasq")
PROMETHEUS = ("prometheus", "/usr/bin/prometheus")
dns = pytest.mark.skipif(programs.found(DNSMASQ) is None, reason="apt-get install dnsmasq-base")
metrics = pytest.mark.skipif(programs.found(PROMETHEUS) is None, reason="install prometheus")


@pytest.fixture
def stack():
    with contextlib.ExitStack() as every:
        yield every


@pytest.fixture
def resolver(tmp_path, stack):
    port = programs.free_port()
    argv = [
        *(programs.found(DNSMASQ), "--keep-in-foreground", "--no-resolv", "--conf-file=/dev/null"),
        *("--listen-address=127.0.0.1", "--bind-interfaces", f"--port={port}", "--user=root"),
        *("--pid-file", "--address=/localhost/127.0.0.1"),
    ]
    daemon = real_playbooks.Daemon(argv, tmp_path / "dns")
    stack.callback(daemon.close)
    daemon.start(port)
    made = real_playbooks.Bench(
        tmp_path,
        services={"dns": daemon.declared},
        controls={"dns": {"resolver": {"address": f"127.0.0.1:{port}"}}},
    )
    stack.callback(made.close)
    return daemon, made


@dns
def test_a_hung_name_server_is_restarted_and_resolv_conf_stays(resolver):
    daemon, made = resolver
    before = RESOLVED_BY.read_bytes()
    hung = daemon.pid
    os.kill(hung, signal.SIGSTOP)
    made.heals("resolver_restart", service="dns")
    assert daemon.pid != hung
    assert RESOLVED_BY.read_bytes() == before


@dns
def test_a_name_server_that_answers_is_left_alone(resolver):
    daemon, made = resolver
    before = daemon.pid
    made.leaves_alone("resolver_restart", service="dns")
    assert daemon.pid == before


GOOD = "global: {scrape_interval: 15s}\n"


@pytest.fixture
def prometheus(tmp_path, stack):
    port, file = programs.free_port(), tmp_path / "prometheus.yml"
    file.write_text(GOOD)
    (tmp_path / "prometheus.yml.last-good").write_text(GOOD)
    argv = [
        *(programs.found(PROMETHEUS), f"--config.file={file}"),
        *(f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}"),
    ]
    address = f"http://127.0.0.1:{port}"
    daemon = real_playbooks.Daemon(
        argv, tmp_path / "prometheus", health_url=f"{address}/-/ready", config_file=str(file)
    )
    stack.callback(daemon.close)
    daemon.start(port)
    made = real_playbooks.Bench(tmp_path, services={"prometheus": daemon.declared})
    stack.callback(made.close)
    programs.wait_for(lambda: httpx.get(f"{address}/-/ready").status_code == 200, "Prometheus")
    return daemon, made, file, address


def reloaded_well(address):
    page = httpx.get(f"{address}/metrics", trust_env=False).text
    return "prometheus_config_last_reload_successful 1" in page


@metrics
def test_a_spoilt_configuration_goes_back_and_is_loaded(prometheus):
    daemon, made, file, address = prometheus
    file.write_text("scrap_configs: []\n")
    os.kill(daemon.pid, signal.SIGHUP)
    programs.wait_for(lambda: not reloaded_well(address), "the failed reload")
    here = {"/etc/prometheus/prometheus.yml": str(file)}
    made.heals("prometheus_config_restore", service="prometheus", swap=here)
    assert file.read_text() == GOOD
    programs.wait_for(lambda: reloaded_well(address), "the good reload")
    assert daemon.process.poll() is None


@metrics
def test_a_good_change_stays(prometheus):
    _, made, file, _ = prometheus
    changed = GOOD.replace("15s", "30s")
    file.write_text(changed)
    here = {"/etc/prometheus/prometheus.yml": str(file)}
    made.leaves_alone("prometheus_config_restore", service="prometheus", swap=here)
    assert file.read_text() == changed
