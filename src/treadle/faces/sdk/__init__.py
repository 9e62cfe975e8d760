"""What programs are written with: steps and pipelines, datasets and models, and the client of every verb.

`treadle` hands these names out one by one; importing this package alone imports none of its modules.
"""
