"""Foreign protocols as pure codecs: bytes to records and back, no input or output."""
