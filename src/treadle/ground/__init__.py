"""The ground floor: what everything stands on and what imports nothing of ours."""
