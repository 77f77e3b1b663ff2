"""The Makefile's own words: its help, and what it says where Python doesn't do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(*args: str, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # Free of what a make around pytest hands down.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        ["make", *args],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def fresh_clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def python_that(does: str, directory: Path) -> Path:
    """Make a program that stands for an interpreter."""
    program = directory / "some-python"
    program.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_make_alone_explains_every_command() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert phony
    result = make()
    explained = re.findall(r"^  make (\S+) +\S", result.stdout, re.M)
    assert sorted(explained) == sorted(phony[1].split())
    assert {"install", "demo", "test", "lint", "crds", "bench", "clean"} <= set(explained)


def test_an_old_python_is_named_with_the_way_out(fresh_clone: Path) -> None:
    old = python_that('[ "$1" = --version ] && echo Python 3.9.2 || exit 1', fresh_clone)
    result = make("install", f"PYTHON={old}", directory=fresh_clone)
    assert result.returncode == 2
    assert f"needs Python 3.11 or later, and '{old}' is: Python 3.9.2." in result.stderr
    assert "make install PYTHON=" in result.stderr
    assert not (fresh_clone / ".venv").exists()


def test_a_missing_python_is_named(fresh_clone: Path) -> None:
    result = make("demo", "PYTHON=no-such-python", directory=fresh_clone)
    assert result.returncode == 2
    assert "needs Python 3.11 or later, and 'no-such-python' is:" in result.stderr
    assert "make demo PYTHON=" in result.stderr


def test_a_python_without_venv_is_named(fresh_clone: Path) -> None:
    bare = python_that('case "$2" in *venv*) exit 1 ;; esac', fresh_clone)
    result = make("install", f"PYTHON={bare}", directory=fresh_clone)
    assert result.returncode == 2
    assert "can't make virtual environments" in result.stderr
    assert "apt install python3-venv" in result.stderr


def test_an_installed_clone_is_not_installed_again(fresh_clone: Path) -> None:
    stamp = fresh_clone / ".venv" / ".installed"
    stamp.parent.mkdir()
    stamp.touch()
    assert make("--question", "install", directory=fresh_clone).returncode == 0
    later = stamp.stat().st_mtime + 10
    os.utime(fresh_clone / "requirements.lock", (later, later))
    assert make("--question", "install", directory=fresh_clone).returncode == 1
