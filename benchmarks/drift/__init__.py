"""Streams with and without drift, and the rules that other tools find it by."""
