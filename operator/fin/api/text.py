"""Strings of a certain form: their patterns, and what to say when one does not match."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from fin.api.base import rules


@dataclass(frozen=True)
class Form:
    """What a string must look like.

    Attributes
    ----------
    pattern
        An anchored regular expression that Go and Rust read alike.
    max_length
        In characters.
    words
        What it must be, for people; completes "must be ...".
    """

    pattern: str
    max_length: int
    words: str

    def matches(self, text: str) -> bool:
        """Tell whether a string is of this form."""
        return len(text) <= self.max_length and re.fullmatch(self.pattern, text) is not None

    @property
    def field(self) -> Any:
        """The annotation of a string field of this form."""
        return Field(
            strict=True,
            pattern=self.pattern,
            max_length=self.max_length,
            json_schema_extra=rules((f"self.matches(r'{self.pattern}')", f"must be {self.words}")),
        )


LABEL_VALUE: Final = Form(
    r"^[A-Za-z0-9]+([-_.]+[A-Za-z0-9]+)*$",
    63,
    "letters, digits, '-', '_' and '.', beginning and ending with a letter or a digit",
)
DNS_LABEL: Final = Form(
    r"^[a-z0-9]+(-+[a-z0-9]+)*$",
    63,
    "lower-case letters, digits and '-', beginning and ending with a letter or a digit",
)
SERVICE_NAME: Final = Form(
    r"^[a-z][a-z0-9]*(-+[a-z0-9]+)*$",
    63,
    "at most 63 lower-case letters, digits and '-', beginning with a letter and ending with a "
    "letter or a digit: a Service carries the name",
)
OBJECT_NAME: Final = Form(
    r"^[a-z0-9]+((-+|\.)[a-z0-9]+)*$",
    253,
    "lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or a "
    "digit",
)
LABEL_KEY: Final = Form(
    r"^([a-z0-9]+((-+|\.)[a-z0-9]+)*/)?[A-Za-z0-9]+([-_.]+[A-Za-z0-9]+)*$",
    317,
    "a label key such as example.com/gpu",
)
ABSOLUTE_PATH: Final = Form(r"^/", 4096, "a path that begins with /")
WEB_ADDRESS: Final = Form(
    r"^https?://[^ ]+$", 2048, "an address that begins with http:// or https://"
)
SHA256: Final = Form(r"^[0-9a-f]{64}$", 64, "a SHA-256 digest: 64 hexadecimal digits, lower case")
LINE: Final = Form(r"^[^ \t\r\n]+$", 1024, "one word without spaces")
TENSOR_NAME: Final = Form(r"^[!-~]+$", 256, "a tensor's name: printable ASCII without spaces")
CONDITION_WORD: Final = Form(r"^[A-Z][A-Za-z0-9]*$", 128, "one CamelCase word")

WORDS_OF_PATTERN: Final = {
    form.pattern: form.words
    for form in (
        LABEL_VALUE, DNS_LABEL, SERVICE_NAME, OBJECT_NAME, LABEL_KEY, ABSOLUTE_PATH, WEB_ADDRESS,
        SHA256, LINE, TENSOR_NAME, CONDITION_WORD,
    )
}  # fmt: skip

LabelValue = Annotated[str, LABEL_VALUE.field]
DnsLabel = Annotated[str, DNS_LABEL.field]
ObjectName = Annotated[str, OBJECT_NAME.field]
LabelKey = Annotated[str, LABEL_KEY.field]
AbsolutePath = Annotated[str, ABSOLUTE_PATH.field]
WebAddress = Annotated[str, WEB_ADDRESS.field]
Sha256 = Annotated[str, SHA256.field]
Line = Annotated[str, LINE.field]
TensorName = Annotated[str, TENSOR_NAME.field]
ConditionWord = Annotated[str, CONDITION_WORD.field]
