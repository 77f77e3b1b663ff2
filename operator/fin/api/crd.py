"""Writes what is generated from the models: ``python -m fin.api.crd [--check]``.

The CRDs, for ``kubectl apply`` and once more for the chart, which can't read files above it; and
the reference of the resources.
"""

import sys
from pathlib import Path
from typing import Any, Final

import yaml

from fin.api import RESOURCES
from fin.api.definition import custom_resource_definition
from fin.api.reference import reference

ROOT: Final = Path(__file__).parents[3]
_CRD_FOLDERS: Final = (Path("crds"), Path("helm/fin-operator/files/crds"))
_REFERENCE: Final = Path("docs/reference/resources.md")
_HEADER: Final = "# Generated from the models in operator/fin/api by `make crds`: change those.\n"


def files() -> dict[Path, str]:
    """Return the text of each file that is generated, by its path in the repository."""
    crds = {
        f"{resource.PLURAL}.yaml": _HEADER + _yaml(custom_resource_definition(resource))
        for resource in RESOURCES
    }
    return {folder / name: text for folder in _CRD_FOLDERS for name, text in crds.items()} | {
        _REFERENCE: reference()
    }


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_NoAliases, sort_keys=False, width=100, allow_unicode=True)


def main() -> None:
    """Write all files or, to check them, end with status 1 and the names of those that differ."""
    if sys.argv[1:] == ["--check"]:
        stale = [str(path) for path, text in files().items() if not _holds(ROOT / path, text)]
        if stale:
            sys.exit(f"stale, run `make crds`: {', '.join(stale)}")
        return
    for path, text in files().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    main()
