"""The program as a whole: what it imports, `fin run`, and its reference."""

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from fin.cli.reference import FILE, reference
from fin.controller.settings import OperatorSettings
from tests.cli.conftest import Fin

EXAMPLES = Path(__file__).parents[2] / "examples"
OPERATORS = ("kopf", "kubernetes", "prometheus_client", "tenacity")
HEAVY = ("matplotlib", "numpy", "networkx", "yaml", "pulp", "onnx", "onnxruntime", "fin.cluster")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


def test_plan_starts_and_works_without_the_operators_libraries() -> None:
    result = python(
        f"import sys\nsys.modules.update(dict.fromkeys({OPERATORS!r}))\n"
        f"sys.argv = ['fin', 'plan', '-f', {str(EXAMPLES)!r}]\n"
        "from fin.cli import main\nmain()\n"
    )
    assert result.returncode == 3
    assert result.stderr == ""
    assert "8 of 9 apps planned" in result.stdout


@pytest.mark.parametrize("missing", OPERATORS)
def test_run_says_what_is_missing(missing: str) -> None:
    result = python(
        f"import sys\nsys.modules[{missing!r}] = None\nsys.argv = ['fin', 'run']\n"
        "from fin.cli import main\nmain()\n"
    )
    assert result.returncode == 1
    said = f"error: `fin run` needs {missing}, which is not installed: "
    assert result.stderr == said + "pip install 'fin-operator[operator]'\n"


@pytest.mark.parametrize(
    "missing", ["aiohttp", "grpc", "onnxruntime", "prometheus_client", "tritonclient"]
)
def test_segment_says_what_is_missing(missing: str) -> None:
    result = python(
        f"import sys\nsys.modules[{missing!r}] = None\n"
        "sys.argv = ['fin', 'segment', '--config', '/etc/fin']\n"
        "from fin.cli import main\nmain()\n"
    )
    assert result.returncode == 1
    said = f"error: `fin segment` needs {missing}, which is not installed: "
    assert result.stderr == said + "pip install 'fin-operator[segment]'\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["version"],
        ["plan", "--help"],
        ["plan"],
        ["compare", "--help"],
        ["profile", "model", "--help"],
        ["segment", "--help"],
        ["explain", "--help"],
        ["whatif"],
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(arguments: list[str]) -> None:
    result = python(
        f"import sys\nsys.argv = ['fin', *{arguments!r}]\n"
        "from fin.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('IMPORTED', [name for name in {HEAVY + OPERATORS!r} if name in sys.modules])\n"
    )
    assert result.stdout.endswith("IMPORTED []\n")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m fin.cli plan -f {EXAMPLES} -o yaml | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert result.stdout == "---\n"
    assert "Traceback" not in result.stderr


def test_output_in_ascii_loses_no_line() -> None:
    env = {"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        [sys.executable, "-m", "fin.cli", "plan", "-f", str(EXAMPLES)],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert result.returncode == 3
    assert "8 of 9 apps planned" in result.stdout
    assert "Traceback" not in result.stderr


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[OperatorSettings]:
    """Put a recorder in the operator's place: its settings are what is of interest here."""
    settings: list[OperatorSettings] = []

    def run(given: OperatorSettings) -> int:
        settings.append(given)
        return 7

    operator = types.ModuleType("fin.controller.run")
    operator.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fin.controller.run", operator)
    return settings


def test_run_without_flags_has_the_operators_defaults(
    fin: Fin, started: list[OperatorSettings]
) -> None:
    assert fin("run").exit_code == 7
    assert started == [OperatorSettings()]


FLAGS: list[tuple[str, str, str, Any]] = [
    ("--gamma", "20", "gamma", 20),
    ("--tolerance", "0.01", "tolerance", 0.01),
    ("--utilisation", "0.5", "utilisation", 0.5),
    ("--min-saving", "0", "min_saving", 0.0),
    ("--segment-image", "x:1", "segment_image", "x:1"),
    ("--metrics-address", "127.0.0.1:0", "metrics_address", "127.0.0.1:0"),
    ("--health-address", "[::1]:81", "health_address", "[::1]:81"),
    ("--lease-namespace", "system", "lease_namespace", "system"),
    ("--drain", "1m30s", "drain", 90.0),
    ("--ready-timeout", "500ms", "ready_timeout", 0.5),
    ("--observe-every", "1m", "observe_every", 60.0),
    ("--log-format", "json", "log_format", "json"),
]


@pytest.mark.parametrize(("flag", "text", "field", "value"), FLAGS)
def test_each_flag_is_a_setting_and_so_is_its_variable(
    fin: Fin, started: list[OperatorSettings], flag: str, text: str, field: str, value: Any
) -> None:
    fin("run", flag, text)
    fin("run", **{"FIN_" + flag.removeprefix("--").replace("-", "_").upper(): text})
    expected = OperatorSettings(**{field: value})
    assert started == [expected, expected]


def test_host_paths_are_allowed_by_flag_or_variable(
    fin: Fin, started: list[OperatorSettings]
) -> None:
    fin("run", "--allow-host-path")
    fin("run", FIN_ALLOW_HOST_PATH="true")
    assert [each.allow_host_path for each in started] == [True, True]


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--gamma", "0"),
        ("--tolerance", "0"),
        ("--tolerance", "nan"),
        ("--utilisation", "1.1"),
        ("--min-saving", "-0.1"),
        ("--metrics-address", "8080"),
        ("--metrics-address", ":8080"),
        ("--health-address", "host:70000"),
        ("--drain", "5"),
        ("--drain", "-5s"),
        ("--ready-timeout", "0s"),
        ("--observe-every", "0s"),
        ("--log-format", "xml"),
    ],
)
def test_a_value_out_of_range_is_refused(
    fin: Fin, started: list[OperatorSettings], flag: str, text: str
) -> None:
    result = fin("run", flag, text)
    assert result.exit_code == 2
    assert flag in result.stderr
    assert started == []


def test_the_reference_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == reference(), "run `make cli-reference`"


def test_the_reference_names_every_flag(started: list[OperatorSettings]) -> None:
    text = reference()
    for flag, *_ in FLAGS:
        assert f"`{flag} " in text
