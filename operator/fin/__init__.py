"""fin-operator: early-exit networks over mobile, edge and cloud nodes at the least energy."""
