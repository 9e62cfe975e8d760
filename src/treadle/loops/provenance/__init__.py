"""Provenance: why a thing is as it is, what came of it, and whether it comes out the same when it is done again."""
