"""Writes a model file as an MLflow model, for `mlflow models serve`; runs where MLflow is installed.

python mlflow_models.py trees|linear MODEL FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def save(kind: str, model: Path, folder: Path) -> None:
    import mlflow

    if kind == "trees":
        import lightgbm

        mlflow.lightgbm.save_model(lightgbm.Booster(model_file=str(model)), folder, pip_requirements=[])
        return
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    written = json.loads(model.read_text())
    estimator = LogisticRegression()
    estimator.classes_ = np.array([0, 1])
    estimator.coef_, estimator.intercept_ = np.array(written["weights"]).T, np.array(written["intercept"])
    estimator.n_features_in_ = estimator.coef_.shape[1]
    mlflow.sklearn.save_model(
        estimator,
        folder,
        pyfunc_predict_fn="predict_proba",
        pip_requirements=[],
        serialization_format="cloudpickle",
    )


if __name__ == "__main__":
    save(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
