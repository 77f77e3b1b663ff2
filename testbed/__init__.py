"""A real Kubernetes control plane on this machine, for the demonstration and the tests.

`ControlPlane` starts etcd, the API server, the controller manager, the scheduler and kwok, which
plays the kubelets of nodes that exist as objects only. Several run side by side on free loopback
ports, and nothing of them is left once their owner is gone, however it went.
"""

from testbed.controlplane import ControlPlane
from testbed.errors import CommandError, TestbedError, TestbedTimeoutError
from testbed.kwok import Kwok

__all__ = ["CommandError", "ControlPlane", "Kwok", "TestbedError", "TestbedTimeoutError"]
