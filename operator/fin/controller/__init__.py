"""The operator: watches, plans in rounds, applies and reports."""
