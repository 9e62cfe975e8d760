"""Benchmarks: one question each, answered as a ratio to a named baseline measured in the same run."""
