"""Tracking: experiments, runs of foreign clients, what they log, and the models that they log."""
