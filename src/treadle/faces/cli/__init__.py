"""The command line: a table of contents, a kit that turns functions into commands, and the commands themselves."""
