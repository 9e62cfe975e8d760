"""SQL on snapshots: what a query names, the closed engine that carries it out, and the verbs."""
