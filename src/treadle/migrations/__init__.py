"""The schema's history: forward only, for both databases."""
