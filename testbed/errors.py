"""What can go wrong in the testbed, as errors whose text is meant for a person."""

import subprocess
from collections.abc import Sequence


class TestbedError(Exception):
    """Something that the testbed needs is missing or did not start; the text says what to do."""

    __test__ = False  # pytest would take the name for a test class


class TestbedTimeoutError(TestbedError):
    """Something did not happen in time."""


class CommandError(TestbedError):
    """A command ended with a non-zero status.

    Attributes
    ----------
    result
        The finished process, with its output.
    """

    def __init__(self, result: subprocess.CompletedProcess[str]) -> None:
        argv: Sequence[str] = result.args
        super().__init__(
            f"`{' '.join(argv)}` ended with status {result.returncode}:\n"
            f"{(result.stderr or result.stdout).strip()}"
        )
        self.result = result
