"""Databases that rows are read from: each says how it quotes, how it types, and streams what a statement finds."""
