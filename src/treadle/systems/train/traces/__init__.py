"""Traces: what an application did, span by span, and what people and judges say of it."""
