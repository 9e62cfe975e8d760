"""Identity: who has an account or a token here, and what each of them may do in which project."""
