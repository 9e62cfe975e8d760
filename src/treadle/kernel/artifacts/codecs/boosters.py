"""Codecs of gradient boosting models: LightGBM's text and XGBoost's UBJSON, with the state of their scikit-learn wrappers.

A model is a bundle (see `bundle`) of the library's own format and, as exact JSON, the class, its parameters and what `fit` has
learnt beside the trees. The digest is that of the trees and the state, without thread counts, verbosity and file names:
two fits on different numbers of threads are one model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from treadle.ground.errors import MissingExtra
from treadle.kernel.artifacts.codecs import bundle, tagged
from treadle.kernel.artifacts.codecs.base import Codec, Draft, Shelf, Source, identity, placed
from treadle.kernel.artifacts.codecs.canonical import IGNORED
from treadle.kernel.artifacts.errors import NotLoadable, NotStorable
from treadle.kernel.artifacts.records import Artifact

_STATE = "state.json"
_UNTOLD_LINES = (
    b"[num_threads:",
    b"[verbosity:",
    b"[data:",
    b"[valid:",
    b"[output_model:",
    b"[input_model:",
    b"[machine_list_filename:",
)


class BoosterDraft:
    """A boosted model on its way."""

    __slots__ = ("_codec", "_model", "_model_file", "_shelf", "_state", "_untold")

    def __init__(
        self,
        codec: Codec,
        shelf: Shelf,
        file: str,
        model: bytes,
        state: dict[str, Any],
        untold: Callable[[bytes], bytes],
    ) -> None:
        self._codec, self._shelf, self._model_file, self._model, self._untold = codec, shelf, file, model, untold
        self._state = state

    def digest(self) -> str:
        state = {**self._state, "attributes": _without_ignored(self._state["attributes"])}
        return identity("model", tagged.canonical(tagged.tag([state, self._untold(self._model)], _no_child)))

    def store(self) -> Artifact:
        state = tagged.stored(tagged.tag(self._state, _no_child))
        data = bundle.pack({self._model_file: self._model, _STATE: state})
        return placed(self._codec, self._shelf, self.digest(), data, {"class": self._state["class"]})


class LightGbm:
    """lightgbm.Booster, LGBMClassifier, LGBMRegressor, LGBMRanker."""

    name, kind = "model/lightgbm", "model"
    classes = ("Booster", "LGBMModel", "LGBMClassifier", "LGBMRegressor", "LGBMRanker")

    def accepts(self, value: Any) -> bool:
        return type(value).__module__.startswith("lightgbm.") and type(value).__name__ in self.classes

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        is_wrapper = type(value).__name__ != "Booster"
        booster = value._Booster if is_wrapper else value
        text = booster.model_to_string(num_iteration=-1).encode() if booster is not None else b""
        if is_wrapper:
            attributes = _state_of(value, leave={"_Booster", "_le"})
        else:
            attributes = {"best_iteration": booster.best_iteration, "best_score": _plain(booster.best_score)}
        state = {"class": type(value).__name__, "attributes": attributes}
        return BoosterDraft(self, shelf, "model.txt", text, state, _told_lines)

    def load(self, source: Source, as_type: Any) -> Any:
        try:
            import lightgbm
        except ImportError:
            raise MissingExtra.of("lightgbm", "lightgbm", "Loading this model") from None
        model, state = _unpacked(source, "model.txt", self.classes)
        booster: Any = lightgbm.Booster(model_str=model.decode()) if model else None
        if state["class"] == "Booster":
            booster.best_iteration = state["attributes"]["best_iteration"]
            booster.best_score = state["attributes"]["best_score"]
            return booster
        wrapper = _made(getattr(lightgbm, state["class"]), state["attributes"])
        wrapper._Booster = booster
        if booster is not None and state["attributes"].get("_classes") is not None:
            from sklearn.preprocessing import LabelEncoder

            wrapper._le = LabelEncoder().fit(state["attributes"]["_classes"])
        return wrapper

    def parts(self, source: Source) -> Iterable[str]:
        return ()


class XgBoost:
    """xgboost.Booster, XGBClassifier, XGBRegressor, XGBRanker and the random forests."""

    name, kind = "model/xgboost", "model"
    classes = ("Booster", "XGBModel", "XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor")

    def accepts(self, value: Any) -> bool:
        return type(value).__module__.startswith("xgboost.") and type(value).__name__ in self.classes

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        is_wrapper = type(value).__name__ != "Booster"
        booster = getattr(value, "_Booster", None) if is_wrapper else value
        raw = bytes(booster.save_raw("ubj")) if booster is not None else b""
        attributes = _state_of(value, leave={"_Booster"}) if is_wrapper else {}
        return BoosterDraft(
            self,
            shelf,
            "model.ubj",
            raw,
            {"class": type(value).__name__, "attributes": attributes},
            lambda model: model,
        )

    def load(self, source: Source, as_type: Any) -> Any:
        try:
            import xgboost
        except ImportError:
            raise MissingExtra.of("xgboost", "xgboost", "Loading this model") from None
        model, state = _unpacked(source, "model.ubj", self.classes)
        booster = None
        if model:
            booster = xgboost.Booster()
            booster.load_model(bytearray(model))
        if state["class"] == "Booster":
            return booster
        wrapper = _made(getattr(xgboost, state["class"]), state["attributes"])
        if booster is not None:
            wrapper._Booster = booster
        return wrapper

    def parts(self, source: Source) -> Iterable[str]:
        return ()


def _told_lines(model: bytes) -> bytes:
    """LightGBM's text without the parameters that say nothing about the trees."""
    return b"\n".join(line for line in model.split(b"\n") if not line.startswith(_UNTOLD_LINES))


def _state_of(wrapper: Any, leave: set[str]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in vars(wrapper).items() if name not in leave}


_ARRAY = "__array__"


def _plain(value: Any) -> Any:
    """State that exact JSON can hold: an array becomes its type and its values, every kind of dict a dict."""
    if hasattr(type(value), "__array_finalize__"):
        return {_ARRAY: str(value.dtype), "values": [_plain(item) for item in value.tolist()]}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if type(value) is list else value


def _unplain(value: Any) -> Any:
    if isinstance(value, dict) and _ARRAY in value:
        import numpy as np

        return np.array(_unplain(value["values"]), dtype=value[_ARRAY])
    if isinstance(value, dict):
        return {key: _unplain(item) for key, item in value.items()}
    return [_unplain(item) for item in value] if type(value) is list else value


def _without_ignored(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ignored(item) for key, item in value.items() if key not in IGNORED}
    return value


def _made(kind: Any, attributes: dict[str, Any]) -> Any:
    wrapper = kind.__new__(kind)
    vars(wrapper).update(attributes)
    return wrapper


def _unpacked(source: Source, file: str, classes: tuple[str, ...]) -> tuple[bytes, dict[str, Any]]:
    members = bundle.unpack(source.bytes())
    state = tagged.untag(msgspec.json.decode(members[_STATE]), _no_artifact)
    if state["class"] not in classes:
        raise NotLoadable(f"The stored model is a {state['class']!r}, which this version does not know.")
    return members[file], {"class": state["class"], "attributes": _unplain(state["attributes"])}


def _no_child(value: Any) -> Any:
    raise NotStorable(
        f"The model holds a {type(value).__module__}.{type(value).__qualname__}, which cannot be stored with it.",
        why="Only numbers, text, lists and dicts can be kept beside the trees; a function (objective, metric, callback) cannot.",
        fix="Use the name of a built-in objective or metric, or store model.booster_ (LightGBM) or model.get_booster() (XGBoost).",
    )


def _no_artifact(_: Any) -> Any:
    raise NotLoadable("The state of a model holds an artifact, which no model does.")
