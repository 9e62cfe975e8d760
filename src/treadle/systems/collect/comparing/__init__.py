"""What lies between two snapshots: columns, rows, values by key, distributions."""
