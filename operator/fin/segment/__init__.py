"""The data plane: serves one segment of a model; knows nothing of planning."""
