"""Nobody is told what runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["fin.segment.server", "fin.profiling.runtime"])
def test_the_runtime_keeps_no_identifier_and_sends_nothing(module: str, tmp_path: Path) -> None:
    """Where its telemetry is on, it begins a session when it is loaded, in a file."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    code = f"import sys, {module}; assert 'onnxruntime' in sys.modules"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not [*tmp_path.iterdir()]
