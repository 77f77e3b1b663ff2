"""The demonstration: from `kubectl apply` to energy metrics, a node that fails, real answers.

Run as `python -m testbed.demo`. Every step verifies that what it claims has happened.
"""
