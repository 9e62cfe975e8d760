"""The commands, one module a noun; each is imported when it is called, and calls the same client as any program."""
