"""Where code runs: captured in one record, and compared with another."""
