"""What is to be written to the API server, and what is to be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fin.planning.problem import AppKey


@dataclass(frozen=True, slots=True)
class Apply:
    """Write the fields of ``object`` (server-side apply), for ``app``.

    ``uid`` is that of the live object, and a precondition: no other may be written. Where it
    is None, there was none: the object must be created, and an existing one left alone.
    """

    app: AppKey
    object: Mapping[str, Any]
    uid: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete exactly the object with this uid, and what it owns in the background."""

    app: AppKey
    kind: str
    namespace: str
    name: str
    uid: str


Action = Apply | Delete


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to be said about an InferenceApp."""

    app: AppKey
    uid: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
