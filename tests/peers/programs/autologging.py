"""Autologging of the libraries that are installed, and what it wrote read back. Names of libraries are its arguments."""

from __future__ import annotations

import sys
import warnings

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient

warnings.filterwarnings("ignore")
client = MlflowClient()
rng = np.random.default_rng(7)
X = pd.DataFrame(rng.normal(size=(120, 4)), columns=["a", "b", "c", "d"])
Y = (X["a"] + X["b"] > 0).astype(int)


def newest(experiment: str, **asked: object) -> list[mlflow.entities.Run]:
    found: list[mlflow.entities.Run] = mlflow.search_runs(experiment_names=[experiment], output_format="list", **asked)
    return found


def paths(run_id: str, folder: str = "") -> set[str]:
    return {one.path for one in client.list_artifacts(run_id, folder)}


def model_of(run: mlflow.entities.Run) -> mlflow.entities.LoggedModel:
    (output,) = run.outputs.model_outputs
    return mlflow.get_logged_model(output.model_id)


def sklearn() -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    mlflow.set_experiment("sklearn")
    mlflow.sklearn.autolog()
    model = LogisticRegression(C=0.5).fit(X, Y)
    model.score(X, Y)
    (run,) = newest("sklearn")
    assert run.data.params["C"] == "0.5"
    assert run.data.metrics["training_accuracy_score"] == model.score(X, Y)
    assert run.inputs.dataset_inputs[0].dataset.name == "dataset"
    logged = model_of(run)
    assert (str(logged.status), logged.source_run_id) == ("READY", run.info.run_id)
    again = mlflow.sklearn.load_model(f"models:/{logged.model_id}")
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    assert "estimator.html" in paths(run.info.run_id)

    mlflow.set_experiment("grid")
    mlflow.sklearn.autolog(max_tuning_runs=None)
    grid = GridSearchCV(RandomForestClassifier(random_state=0), {"n_estimators": [2, 4], "max_depth": [2]}, cv=2)
    grid.fit(X, Y)
    mlflow.sklearn.autolog(disable=True)
    runs = newest("grid", order_by=["attributes.start_time ASC"])
    children = [one for one in runs if "mlflow.parentRunId" in one.data.tags]
    (parent,) = [one for one in runs if "mlflow.parentRunId" not in one.data.tags]
    assert sorted(one.data.params["n_estimators"] for one in children) == ["2", "4"]
    assert parent.data.params["best_n_estimators"] == str(grid.best_params_["n_estimators"])
    assert parent.data.metrics["best_cv_score"] == grid.best_score_
    assert {"cv_results.csv", "estimator.html"} <= paths(parent.info.run_id)


def xgboost() -> None:
    import xgboost

    mlflow.set_experiment("xgboost")
    mlflow.xgboost.autolog()
    matrix = xgboost.DMatrix(X, Y)
    booster = xgboost.train(
        {"objective": "binary:logistic", "eval_metric": "logloss", "max_depth": 2, "nthread": 1},
        matrix, num_boost_round=6, evals=[(matrix, "train")], early_stopping_rounds=3, verbose_eval=False,
    )  # fmt: skip
    mlflow.xgboost.autolog(disable=True)
    (run,) = newest("xgboost")
    history = client.get_metric_history(run.info.run_id, "train-logloss")
    assert [one.step for one in history if one.value != history[-1].value] == list(range(5))
    assert run.data.metrics["best_iteration"] == 5
    assert run.data.params["max_depth"] == "2"
    assert "feature_importance_weight.json" in paths(run.info.run_id)
    again = mlflow.xgboost.load_model(f"models:/{model_of(run).model_id}")
    assert (again.predict(matrix) == booster.predict(matrix)).all()


def lightgbm() -> None:
    import lightgbm

    mlflow.set_experiment("lightgbm")
    mlflow.lightgbm.autolog()
    data = lightgbm.Dataset(X, Y)
    booster = lightgbm.train(
        {"objective": "binary", "metric": "binary_logloss", "num_threads": 1, "verbose": -1, "num_leaves": 4},
        data, num_boost_round=5, valid_sets=[data], valid_names=["train"],
    )  # fmt: skip
    mlflow.lightgbm.autolog(disable=True)
    (run,) = newest("lightgbm")
    history = client.get_metric_history(run.info.run_id, "train-binary_logloss")
    assert [one.step for one in history] == list(range(5))
    assert run.data.params["num_leaves"] == "4"
    again = mlflow.lightgbm.load_model(f"models:/{model_of(run).model_id}")
    assert (again.predict(X) == booster.predict(X)).all()


def torch() -> None:
    import lightning
    import torch

    class Line(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch: list[torch.Tensor], at: int) -> torch.Tensor:
            loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
            self.log("loss", loss, on_epoch=True)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.05)

    mlflow.set_experiment("torch")
    mlflow.pytorch.autolog()
    rows = torch.tensor(X.to_numpy(), dtype=torch.float32)
    goal = torch.tensor(Y.to_numpy(), dtype=torch.float32).reshape(-1, 1)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(rows, goal), batch_size=32)
    line = Line()
    trainer = lightning.Trainer(max_epochs=2, logger=False, enable_progress_bar=False, accelerator="cpu")
    trainer.fit(line, loader)
    mlflow.pytorch.autolog(disable=True)
    (run,) = newest("torch")
    assert run.data.params["epochs"] == "2"
    assert "loss_epoch" in run.data.metrics
    again = mlflow.pytorch.load_model(f"runs:/{run.info.run_id}/model", weights_only=False)
    with torch.no_grad():
        assert torch.equal(again.layer(rows), line.layer(rows))


if __name__ == "__main__":
    for name in sys.argv[1:] or ["sklearn", "xgboost", "lightgbm"]:
        globals()[name]()
        print(name, "as written", flush=True)
