"""The kernel: artifacts, runs, refs and events, and the engine that makes them. Everything else is made of these."""
