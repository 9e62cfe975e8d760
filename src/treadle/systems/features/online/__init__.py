"""Features online: the newest values of each entity, kept ready in a store that answers in microseconds.

Materialising computes values with the very join that makes training sets and writes them as packed records; the reader
opens the online store alone and decodes them, without Polars. Every record says from when until when its values are
exact, so that a served vector can be computed again offline, to the last bit, and compared.
"""
