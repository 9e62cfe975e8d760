"""What a test of Treadle, or of a project that uses it, can build on: stores, factories, conformance suites."""

from treadle.testing.stores import embedded_store

__all__ = ["embedded_store"]
