"""Signatures over versions in the form of OpenSSF model signing: made with a key, checked offline."""
