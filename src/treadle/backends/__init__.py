"""What implements the ports at scale; imported by the assembly alone, and late."""
