"""Anomalies without a rule: a landing that is unlike those before it, found from profiles alone."""
