"""Kubernetes objects to a planning problem, and plans to Kubernetes objects.

Pure functions over plain objects as the API server's JSON gives them: nothing here talks
to a cluster.
"""
