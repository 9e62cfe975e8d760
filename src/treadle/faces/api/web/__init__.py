"""The web application: its files, who is signed in, and what happens while somebody looks."""
