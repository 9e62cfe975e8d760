"""A pool of worker processes on this host: forked from one prepared process, watched, and ended by force when need be."""
