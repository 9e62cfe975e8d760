"""The nouns that two systems say. A noun that one system says lives with it."""
