"""The loops: stories that need several systems at once, and so stand above all of them."""
