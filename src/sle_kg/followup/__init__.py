"""Follow-up: scores, states and outcomes of patients over time, by the same algebra as eligibility."""
