"""Real nodes on this machine: each a kubelet and a container runtime in namespaces of its own."""
