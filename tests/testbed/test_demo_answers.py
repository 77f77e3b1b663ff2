"""What the demonstration says of answers it checks first."""

import re

import pytest

from fin.api import Duration
from testbed.demo.checks import check_answers
from testbed.demo.client import Answer, Answers
from testbed.demo.reading import AppView
from testbed.demo.stage import DemoError

APP = AppView(("default", "reader"), 1, Duration.parse("50ms"), 0.9, {}, None)
SEGMENTS = ("a", "b", "c")


def answer(*segments: str, right: bool = True, seconds: float = 0.01) -> Answer:
    return Answer(right, "exit", segments, seconds, 0.001)


def test_answers_as_planned_pass() -> None:
    check_answers(APP, SEGMENTS, Answers([answer("a"), answer("a", "b"), answer("a", "b", "c")]))


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([answer("a"), answer("a", "c")], "a sample went through a, c, not as planned"),
        ([answer("a", "b", "c", "a")], "a sample went through a, b, c, a, not as planned"),
        ([answer("a"), answer("a")], "no sample left a"),
        ([answer("a", "b"), answer("a", right=False)], "reader has accuracy 0.5000, less than 0.9"),
        ([answer("a", "b", seconds=0.2), answer("a")], "reader takes 0.105 s, its target is 50ms"),
    ],
)
def test_others_do_not(answers: list[Answer], why: str) -> None:
    with pytest.raises(DemoError, match=re.escape(why)):
        check_answers(APP, SEGMENTS, Answers(answers))
