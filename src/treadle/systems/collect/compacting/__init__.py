"""Compaction: many small files become few large ones, and nothing else changes."""
