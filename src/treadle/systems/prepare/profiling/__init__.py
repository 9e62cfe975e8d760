"""Profiles of snapshots: made once from their files, kept as artifacts, said in words."""
