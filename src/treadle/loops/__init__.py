"""Stories that need several systems at once: they stand above the systems and hold no craft of their own."""
