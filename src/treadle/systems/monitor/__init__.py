"""Watches endpoints: drift of what comes in, performance once the truth is known, and the alerts that follow."""
