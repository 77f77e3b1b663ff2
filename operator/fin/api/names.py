"""The names that users, dashboards and other programs depend on."""

from typing import Final

GROUP: Final = "finoperator.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "fin"

DNN_MODEL: Final = "DNNModel"
INFERENCE_APP: Final = "InferenceApp"
NETWORK_TOPOLOGY: Final = "NetworkTopology"

PLURAL_DNN_MODEL: Final = "dnnmodels"
PLURAL_INFERENCE_APP: Final = "inferenceapps"
PLURAL_NETWORK_TOPOLOGY: Final = "networktopologies"

# On nodes: a node takes part when it has all three.
LABEL_TIER: Final = f"{GROUP}/tier"
LABEL_FLOPS: Final = f"{GROUP}/flops"
LABEL_GFLOPS_PER_WATT: Final = f"{GROUP}/gflops-per-watt"

# On what the operator creates.
LABEL_APP: Final = f"{GROUP}/app"
LABEL_SEGMENT: Final = f"{GROUP}/segment"
ANNOTATION_PLAN: Final = f"{GROUP}/plan"
ANNOTATION_ADAPTED: Final = f"{GROUP}/adapted"

# On an InferenceApp, by its owner.
ANNOTATION_HOLD: Final = f"{GROUP}/hold"

# On a DNNModel, by the profiler: when its numbers were measured, and on how many samples.
ANNOTATION_PROFILED_AT: Final = f"{GROUP}/profiled-at"
ANNOTATION_PROFILED_SAMPLES: Final = f"{GROUP}/profiled-samples"

FIELD_MANAGER: Final = "fin-operator"

CONDITION_ACCEPTED: Final = "Accepted"
CONDITION_PLANNED: Final = "Planned"
CONDITION_READY: Final = "Ready"
CONDITION_DRIFTED: Final = "Drifted"

# What an object without a namespace belongs to.
DEFAULT_NAMESPACE: Final = "default"
