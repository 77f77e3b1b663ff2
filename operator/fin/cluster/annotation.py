"""The running plan, as it stands in an annotation of the entry's Deployment."""

import math
from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from fin.cluster.naming import digest
from fin.cluster.revision import Revision

_ADAPTER: TypeAdapter[Revision] = TypeAdapter(Revision)


def written(revision: Revision) -> str:
    """Return the annotation's text: JSON with a checksum, since a person may edit it."""
    content = _ADAPTER.dump_python(revision, mode="json")
    return orjson.dumps(
        {"checksum": digest(content), "revision": content}, option=orjson.OPT_SORT_KEYS
    ).decode()


@lru_cache(maxsize=2048)
def read(text: str) -> Revision | None:
    """Read the annotation; None where it is not what was written."""
    try:
        found: Any = orjson.loads(text)
        content = found["revision"]
        if digest(content) != found["checksum"]:
            return None
        revision = _ADAPTER.validate_python(content)
    except (ValueError, TypeError, KeyError, ValidationError):
        return None
    return revision if _holds_together(revision) else None


def _holds_together(revision: Revision) -> bool:
    """Whether its parts fit: a checksum can be forged, and nothing may break on it."""
    placement, count = revision.placement, len(revision.blocks)
    facts = revision.facts
    numbers = [
        *(facts.accuracy, facts.latency, facts.energy, facts.power, facts.gap),
        *(joules for _, joules in facts.shares),
        *(load for _, load in revision.traffic),
        *(joules for run in revision.runs for joules in (run.joules, run.input_joules)),
    ]
    return (
        count > 0
        and count == len(placement.nodes) == len(placement.routes)
        and len(revision.runs) in (0, count)
        and all(placement.routes)
        and bool(revision.exits)
        and revision.exits[-1][0] == count - 1
        and placement.segments == tuple((each.node, each.blocks) for each in revision.segments)
        and all(each.name and each.digest and each.node for each in revision.segments)
        and all(math.isfinite(number) and number >= 0 for number in numbers)
    )
