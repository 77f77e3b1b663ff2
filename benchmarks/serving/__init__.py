"""What serving a network costs: `fin segment` beside bare ONNX Runtime and MLServer."""
