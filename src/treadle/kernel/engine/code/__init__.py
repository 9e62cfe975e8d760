"""What a step's code is: its fingerprint, and the bundle that carries it to where it runs."""
