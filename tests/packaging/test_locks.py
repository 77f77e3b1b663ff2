"""The lock files: each image's is a part of the whole one, and all meet pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = ["operator", "segment", "profile"]
LOCKS = ["requirements.lock", *(f"requirements-{image}.lock" for image in IMAGES)]

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


@pytest.mark.parametrize("image", IMAGES)
def test_the_image_gets_the_very_files_that_are_tested(image: str) -> None:
    whole = read_lock("requirements.lock")
    for requirement, hashes in read_lock(f"requirements-{image}.lock").items():
        # A package that fewer need may be needed under a wider or narrower marker.
        version = requirement.partition(" ;")[0]
        tested = [known for known in whole if known.partition(" ;")[0] == version]
        assert tested, f"{version} is not in requirements.lock: run make lock"
        assert all(whole[known] == hashes for known in tested)


def test_locks_have_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for image in IMAGES:
        asked = project["dependencies"] + project["optional-dependencies"][image]
        assert names(asked) <= names(list(read_lock(f"requirements-{image}.lock")))
    everything = sum(project["optional-dependencies"].values(), project["dependencies"])
    assert names(everything) <= names(list(read_lock("requirements.lock")))


def test_the_image_gets_no_tool_of_development() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    tools = names(extras["lint"] + extras["test"] + extras["build"])
    for image in IMAGES:
        # Tests use some of what an image is for, such as tritonclient, which has its messages.
        found = names(list(read_lock(f"requirements-{image}.lock"))) - names(extras[image])
        assert not tools & found
