"""Why a request is not served, or a segment can't: each has a kind, and says what to do."""

from enum import Enum


class Kind(Enum):
    """What is the matter: the HTTP status, and the name of gRPC's code for the same."""

    INVALID = (400, "INVALID_ARGUMENT")
    NOT_FOUND = (404, "NOT_FOUND")
    BUSY = (429, "RESOURCE_EXHAUSTED")
    INTERNAL = (500, "INTERNAL")
    UNAVAILABLE = (503, "UNAVAILABLE")
    TOO_LATE = (504, "DEADLINE_EXCEEDED")

    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code


class Refusal(Exception):  # noqa: N818 - what a request gets, not a fault of the program
    """A request that is not served."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class CannotServeError(Exception):
    """A segment that can't serve what it is configured to: a message for the user."""
