"""MLflow's protocol: its routes, answered by the same services as every other face."""
