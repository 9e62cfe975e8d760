"""Conversion: a model in other forms that a server could run, each compared with the original before it may serve.

`forms` says what a linear model and a forest are, apart from any library; `reading` takes them out of scikit-learn;
`to_onnx` and `to_lightgbm` write them; `offering` gathers the candidates, and `comparing` measures them.
"""

from treadle.systems.serve.conversion.comparing import compare
from treadle.systems.serve.conversion.offering import offer
from treadle.systems.serve.conversion.records import FASTEST, Candidate, Choice, Comparison

__all__ = ["FASTEST", "Candidate", "Choice", "Comparison", "compare", "offer"]
