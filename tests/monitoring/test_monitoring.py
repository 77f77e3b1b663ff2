"""The chart's rules and dashboard: valid, tested by promtool, and of metrics that there are."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fin.controller.definitions import BY_NAME
from fin.segment import definitions as segment
from testbed.errors import TestbedError
from testbed.packages import ensure_packages
from testbed.progress import Reporter

FILES = Path(__file__).parents[2] / "helm" / "fin-operator" / "files"
RULES = FILES / "prometheus" / "rules.yaml"
DASHBOARD = FILES / "grafana" / "fin-operator.json"
TESTS = Path(__file__).with_name("rules_test.yaml")


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    try:
        ensure_packages((("promtool", "prometheus"),), Reporter())
    except TestbedError as error:
        pytest.skip(str(error))


def rules() -> list[dict[str, str]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> Iterator[str]:
    """What the dashboard's panels ask."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def metrics(expression: str) -> set[str]:
    """Names of metrics in it, recorded ones left out; a histogram's without its suffix."""
    words = re.findall(r"[a-zA-Z_:][\w:]*", expression)
    found = {word for word in words if word.startswith("fin_") and ":" not in word}
    return {re.sub(r"_(bucket|sum|count)$", "", word) for word in found}


def test_the_rules_do_what_their_tests_say(tmp_path: Path) -> None:
    tests = tmp_path / "test.yaml"
    tests.write_text(TESTS.read_text().replace("RULES", str(RULES)))
    done = subprocess.run(
        ["promtool", "test", "rules", str(tests)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_and_queries_are_valid(tmp_path: Path) -> None:
    """The panels' queries too, as rules."""
    panels = tmp_path / "panels.yaml"
    asked = [{"record": f"panel:{n}", "expr": each} for n, each in enumerate(queries())]
    panels.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}))
    subprocess.run(["promtool", "check", "rules", str(RULES), str(panels)], check=True)


def test_every_alert_has_a_test() -> None:
    tested = TESTS.read_text()
    for alert in (rule["alert"] for rule in rules() if "alert" in rule):
        assert f"alertname: {alert}\n" in tested, alert


def test_metrics_that_are_asked_for_exist() -> None:
    known = {*BY_NAME, *(each.name for each in segment.ALL)}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for expression in (*queries(), *(rule["expr"] for rule in rules())):
        assert metrics(expression) <= known, expression
        for word in re.findall(r"\w+:[\w:]+", expression):
            assert word in recorded, expression
