"""W3C trace context, which goes along with a request: https://www.w3.org/TR/trace-context/."""

import re
import secrets
from dataclasses import dataclass
from typing import Final

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

# Of later versions, what follows may be more; all zeros are no trace.
_FORM: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a request belongs: passed on as it came, since nothing here records spans."""

    parent: str
    state: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry it on."""
        state = {TRACESTATE: self.state} if self.state else {}
        return {TRACEPARENT: self.parent, **state}


def trace(parent: str | None, state: str | None) -> Trace:
    """Take the trace context of a request, or begin one where it has none that is valid."""
    if parent is None or len(parent) > _MAX or not _FORM.fullmatch(parent):
        return Trace(f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00")
    usable = state is not None and len(state) <= _MAX and state.isascii() and state.isprintable()
    return Trace(parent, state if usable and state else "")
