"""Connectors: what brings rows from databases, APIs, buckets, streams and folders; each in a module of its own.

A module is imported when its kind is asked for, and its client library with it, so that a project pays for the
connectors that it uses.
"""
