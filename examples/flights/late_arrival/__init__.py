"""Will a flight from New York arrive more than fifteen minutes late? Asked two hours before it is due to leave.

sources.py     the airport's records, month by month, with every moment in UTC and the moment of knowing beside it
features.py    what is known of a flight two hours before its departure
training.py    the steps: rows, candidates, baselines, evaluation
pipelines.py   the first training, and the retraining that an alert starts
season.py      the year as it happened: land, predict, learn the truth, watch, answer
report.py      the year as a page with plots
"""
