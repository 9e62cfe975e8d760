"""Pages of one file about one thing, drawn from the answer of a verb: the same for the command line and the API."""
