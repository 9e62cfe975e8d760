"""What the benchmarks against stock MLflow share: a lean client, processes that load a server, stores that are full."""
