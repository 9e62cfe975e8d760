"""Webhooks: who is told of changes in the registry, and how it reaches them."""
