"""Which files of datasets are kept, for whose sake, and how the rest goes."""
