"""The demonstration: from `kubectl apply` to energy metrics, and a node that fails.

Run as `python -m testbed.demo`. Every step verifies that what it claims has happened.
"""
