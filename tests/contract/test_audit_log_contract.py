"""The audit log's promises on files; tests/replicas has the same on PostgreSQL."""

import pathlib

import pytest

from sentienguard.adapters.audit_files import log, reader
from tests.contract import audit_log_cases


class Files:
    """A log in a directory."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory

    def open(self, rules: audit_log_cases.Rules) -> log.AuditFiles:
        return log.AuditFiles(self._directory, rules())

    def stored(self):
        return reader.read_stored(self._directory)


class TestFiles(audit_log_cases.AuditLogCases):
    @pytest.fixture
    def place(self, tmp_path):
        return Files(tmp_path)
