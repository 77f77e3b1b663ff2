"""ONNX Runtime, with its telemetry off.

Its builds tell their makers what they run, and keep an identifier of the machine in files, unless
the environment says otherwise before they are loaded (Privacy.md of the package).
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
