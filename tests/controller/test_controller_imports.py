"""What the operator has in memory: no more than it needs."""

import subprocess
import sys

import pytest

LOADED = "import sys, fin.cli, fin.controller.run; print(*sorted(sys.modules), sep='\\n')"


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    argv = [sys.executable, "-c", LOADED]
    return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("module", ["pulp", "highspy", "rich", "scipy", "matplotlib", "testbed"])
def test_what_the_operator_does_not_use_is_not_loaded(loaded: set[str], module: str) -> None:
    assert "fin.planning.fin" in loaded
    assert module not in loaded
