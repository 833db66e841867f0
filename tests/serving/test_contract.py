"""The description holds: what schemathesis makes of it is answered as it says."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.keys import create_key

#: Refuses what the schema alone would let through: what a catalogue lacks, and what only two fields together break.
_BUSINESS_RULES = "positive_data_acceptance"


@pytest.mark.slow
def test_every_operation_answers_as_described(
    serve_closed: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REALREACH_DATABASE", f"sqlite:///{tmp_path / 'keys.db'}")
    _, key = create_key("schemathesis", frozenset({"admin"}), per_minute=10**6, per_day=10**6)
    ran = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{serve_closed(tmp_path)}/docs.json"),
            *("--header", f"Authorization: Bearer {key}", "--exclude-checks", _BUSINESS_RULES),
            *("--continue-on-failure", "--max-examples", "25", "--seed", "20260110", "--no-color"),
        ],
        cwd=tmp_path,
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert "Tested: 0" not in ran.stdout
