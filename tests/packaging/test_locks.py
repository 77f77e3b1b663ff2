"""The lock files: the image's is a part of the whole one, and both meet pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OF_IMAGES = ["requirements-operator.lock", "requirements-profile.lock"]
LOCKS = ["requirements.lock", *OF_IMAGES]

# Name, version and marker -> the hashes of the files.
Lock = dict[str, frozenset[str]]


def read_lock(name: str) -> Lock:
    entries: Lock = {}
    text = (ROOT / name).read_text(encoding="utf-8")
    for entry in re.findall(r"^\w.*?(?=^\w|\Z)", text, re.MULTILINE | re.DOTALL):
        requirement = entry.partition(" \\\n")[0]
        entries[requirement] = frozenset(re.findall(r"--hash=(\S+)", entry))
    return entries


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=! ;\[]", one)[0].lower().replace("_", "-") for one in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_one_version_and_hashes(lock: str) -> None:
    entries = read_lock(lock)
    assert entries
    for requirement, hashes in entries.items():
        assert re.match(r"[\w.-]+==[\w.]+", requirement)
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes)


@pytest.mark.parametrize("lock", OF_IMAGES)
def test_an_image_gets_the_very_files_that_are_tested(lock: str) -> None:
    whole = read_lock("requirements.lock")
    for requirement, hashes in read_lock(lock).items():
        # A package that fewer need may be needed under a wider or narrower marker.
        version = requirement.partition(" ;")[0]
        tested = [known for known in whole if known.partition(" ;")[0] == version]
        assert tested, f"{version} is not in requirements.lock: run make lock"
        assert all(whole[known] == hashes for known in tested)


def test_locks_have_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    operator = project["dependencies"] + extras["operator"]
    profile = project["dependencies"] + extras["profile"]
    everything = sum(extras.values(), project["dependencies"])
    assert names(operator) <= names(list(read_lock("requirements-operator.lock")))
    assert names(profile) <= names(list(read_lock("requirements-profile.lock")))
    assert names(everything) <= names(list(read_lock("requirements.lock")))


def test_the_image_gets_no_tool_of_development() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    tools = names(extras["lint"] + extras["test"] + extras["build"])
    assert not tools & names(list(read_lock("requirements-operator.lock")))
