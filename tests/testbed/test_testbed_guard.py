"""What the guard of a testbed does at its end."""

import threading
from pathlib import Path

from testbed.guard import remove


def test_what_a_command_of_a_killed_owner_makes_anew_goes_too(tmp_path: Path) -> None:
    directory = tmp_path / "testbed"
    directory.mkdir()
    made = threading.Event()

    def write_once_more() -> None:
        while directory.exists():
            pass
        (directory / "kubectl-cache").mkdir(parents=True)
        made.set()

    command = threading.Thread(target=write_once_more)
    command.start()
    remove(str(directory), orphaned=True)
    command.join()
    assert made.is_set()
    assert not directory.exists()
