"""From a trained network to a DNNModel, from a machine to its labels: measured numbers."""
