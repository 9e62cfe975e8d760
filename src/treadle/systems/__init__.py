"""The eight systems of the loop, and the infrastructure below them: neighbours that do not know each other."""
