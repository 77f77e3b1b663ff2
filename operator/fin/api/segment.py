"""How a segment of a model runs: image, volumes and scheduling."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from fin.api.base import LIST, WHOLE, Flag, Model, refuse, repeated, rules, without_nulls
from fin.api.meta import Text
from fin.api.quantity import Quantity
from fin.api.text import AbsolutePath, LabelKey, LabelValue, Line, ObjectName, Sha256, WebAddress

_SOURCES = ("configMap", "secret", "persistentVolumeClaim", "image", "csi", "hostPath", "url")
_ONE_SOURCE = f"must have exactly one of {', '.join(_SOURCES[:-1])} or url"
_BOTH = "url and sha256 go together: the file is checked against the digest"


class LocalReference(Model):
    """An object of the same namespace."""

    name: ObjectName = Field(description="Its name.")


class Toleration(Model):
    """A taint that segments put up with, as in a pod."""

    key: LabelKey | None = Field(
        default=None,
        description="The taint's key. Left out, with operator Exists, it stands for all keys.",
    )
    operator: Literal["Equal", "Exists"] = Field(
        default="Equal", description="Equal compares key and value, Exists the key alone."
    )
    value: LabelValue | None = Field(
        default=None, description="The taint's value. Only with operator Equal."
    )
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect. Left out, it stands for all effects."
    )
    toleration_seconds: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1), WHOLE] | None = (
        Field(
            default=None,
            description="How long a NoExecute taint is put up with. Left out, for ever.",
        )
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.key) || self.operator == 'Exists'", "needs a key, or operator: Exists"),
            (
                "!has(self.value) || self.operator == 'Equal'",
                "value is only for operator: Equal; leave it out",
            ),
            (
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds is only for effect: NoExecute",
            ),
        )
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = []
        if self.key is None and self.operator != "Exists":
            faults.append("needs a key, or operator: Exists")
        if self.value is not None and self.operator != "Equal":
            faults.append("value is only for operator: Equal; leave it out")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            faults.append("tolerationSeconds is only for effect: NoExecute")
        refuse(((), fault) for fault in faults)
        return self


class SecretSource(Model):
    """A Secret as a volume."""

    secret_name: ObjectName = Field(description="The Secret's name.")


class ClaimSource(Model):
    """A persistent volume claim as a volume."""

    claim_name: ObjectName = Field(description="The claim's name.")
    read_only: Flag = Field(
        default=True,
        description="Attach the volume for reading only, so that several nodes may share it.",
    )


class ImageSource(Model):
    """An OCI image or artifact as a volume."""

    reference: Line = Field(description="The image, as a container's image is written.")
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When to pull it."
    )


class CsiSource(Model):
    """A volume that a CSI driver makes for the pod."""

    driver: LabelValue = Field(description="The name of the CSI driver.")
    fs_type: LabelValue | None = Field(
        default=None, description="The file system to mount. Left out, the driver's default."
    )
    read_only: Flag = Field(default=True, description="Mount the volume for reading only.")
    volume_attributes: Annotated[
        dict[Text, Annotated[str, Field(strict=True, max_length=4096)]],
        Field(max_length=64),
        BeforeValidator(without_nulls),
    ] = Field(
        default_factory=dict,
        description="What the driver wants to know.",
    )
    node_publish_secret_ref: LocalReference | None = Field(
        default=None, description="The Secret with what the driver needs to publish the volume."
    )


class HostPathSource(Model):
    """A path of the node."""

    path: AbsolutePath = Field(description="The absolute path on the node.")
    type: Literal["Directory", "File"] = Field(
        default="Directory", description="What must be there."
    )


class Artifact(Model):
    """Where a segment finds its blocks' weights: one volume source, or a URL with its digest."""

    config_map: LocalReference | None = Field(default=None, description="A ConfigMap.")
    secret: SecretSource | None = Field(default=None, description="A Secret.")
    persistent_volume_claim: ClaimSource | None = Field(
        default=None, description="A persistent volume claim."
    )
    image: ImageSource | None = Field(default=None, description="An OCI image or artifact.")
    csi: CsiSource | None = Field(
        default=None, description="A volume that a CSI driver makes for each pod."
    )
    host_path: HostPathSource | None = Field(
        default=None, description="A path of the node; only where the operator's flag allows it."
    )
    url: WebAddress | None = Field(
        default=None,
        description="An http or https address to load the weights from: a tar archive, or for a "
        "model of one block its ONNX file.",
    )
    sha256: Sha256 | None = Field(
        default=None, description="The SHA-256 digest of the file at url, in hexadecimal."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"[{', '.join(f'has(self.{name})' for name in _SOURCES)}].filter(x, x).size() == 1",
                _ONE_SOURCE,
            ),
            ("has(self.url) == has(self.sha256)", _BOTH),
        )
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [
            source
            for source in (
                self.config_map,
                self.secret,
                self.persistent_volume_claim,
                self.image,
                self.csi,
                self.host_path,
                self.url,
            )
            if source is not None
        ]
        faults = []
        if len(given) != 1:
            faults.append(_ONE_SOURCE)
        if (self.url is None) != (self.sha256 is None):
            faults.append(_BOTH)
        refuse(((), fault) for fault in faults)
        return self


def _differ(secrets: tuple[LocalReference, ...]) -> tuple[LocalReference, ...]:
    refuse(
        ((position, "name"), f"names must be unique; {name} is there twice")
        for position, name in repeated(secret.name for secret in secrets)
    )
    return secrets


class SegmentTemplate(Model):
    """How each segment of the model runs."""

    image: Line | None = Field(
        default=None, description="The container image. Left out, the operator's default."
    )
    image_pull_secrets: Annotated[
        tuple[LocalReference, ...], Field(max_length=16), LIST, AfterValidator(_differ)
    ] = Field(
        default=(),
        description="Secrets of the namespace with the credentials to pull the image.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    )
    service_account_name: ObjectName | None = Field(
        default=None,
        description="The service account to run as. Left out, the namespace's default.",
    )
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=64), LIST] = Field(
        default=(),
        description="Taints that segments put up with; nodes with other taints are left out.",
    )
    memory_overhead: Quantity = Field(
        default=Quantity.parse("128Mi"),
        description="A segment's memory, in bytes, before any block is loaded.",
    )
    cpu_minimum: Quantity = Field(
        default=Quantity.parse("10m"),
        description="The least CPU that a segment reserves, in cores; 10m at least. Starting takes "
        "about a second of a core, and each request half a millisecond beside its blocks.",
    )
    artifact: Artifact | None = Field(
        default=None,
        description="Where a segment finds its blocks' weights: for each block an ONNX file, "
        "called by its name with .onnx behind it. Left out, they are in the image, in /models.",
    )
