"""What `treadle init` writes: the files of a new project, each with `.template` behind its name."""
