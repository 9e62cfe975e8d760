"""Branches: work on a dataset that nobody sees until it is brought to main.

A branch is a row of its own among the datasets, named `flights@fix`, with the folder of its dataset and a snapshot that it
began at. Landing, quarantine, cursors and recovery know it by that name and need no other care; only the table's log, which is
what other engines read, hears of its files when they are merged.
"""
