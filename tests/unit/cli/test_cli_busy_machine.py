"""What `sentienguard up` says on a machine that is too busy: what took long, and the way out."""

from pathlib import Path

import pytest

from sentienguard.cli.installation import centre
from sentienguard.cli.installation.places import Places
from sentienguard.model import errors


def test_a_program_that_does_not_end_in_time_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow_program.py"
    slow.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(centre, "MODULE", "slow_program")
    monkeypatch.setattr(centre, "ADD_S", 0.2)
    with pytest.raises(
        errors.Unavailable, match=r"--add-administrator.*run the same command again"
    ):
        centre.first_login(Places(tmp_path))
