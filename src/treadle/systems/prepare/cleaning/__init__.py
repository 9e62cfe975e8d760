"""Cleaning: steps that a contract declares beside its rules, carried out in their order, and taken back from their log.

`steps` is what can be declared, `declared` reads it from a contract. `columnwise`, `filling` and `duplicates` are the craft;
`program` runs the steps over a frame, batch by batch, while `changes` writes down every cell and row that they touch.
"""
