"""What segments report, beside what was planned: without a clock and without the network."""
