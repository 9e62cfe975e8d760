"""Feature services as another system takes them: what they give and what they ask for, in the protocol's datatypes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from treadle.ground.errors import did_you_mean
from treadle.systems.features.online import documents
from treadle.systems.features.online.errors import NotMaterialized
from treadle.systems.features.online.layout import kind_of
from treadle.systems.features.online.ports import OnlineStore

_KEYS = {"int": "INT64", "text": "BYTES", "bool": "BOOL", "date": "BYTES", "moment": "BYTES", "binary": "BYTES"}
_NUMBERS = {"bool": "BOOL", "string": "BYTES", "float32": "FP32", "float64": "FP64", "null": "FP64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A service that is online; see the port of whoever asks."""

    name: str
    digest: str
    features: Mapping[str, str | None]
    keys: Sequence[tuple[str, str]]
    inputs: Sequence[str]


class OfferedServices:
    """The services of all projects. online: the store of a project."""

    def __init__(self, online: Callable[[str], OnlineStore]) -> None:
        self._online = online

    def get(self, project: str, name: str) -> Offered:
        """The newest version that is online. Raises NotMaterialized."""
        store = self._online(project)
        service = documents.find_service(store, name)
        if service is None:
            known = [key.decode() for key, _ in store.scan(documents.SERVICES)]
            raise NotMaterialized(
                f"The feature service {name!r} is not online.",
                why=did_you_mean(name, [one for one in known if "@" not in one]),
                fix=f"Materialise it: treadle features materialize {name}",
                service=name,
            )
        features: dict[str, str | None] = dict.fromkeys(service.features)
        keys: dict[str, str] = {}
        for view, space in service.views:
            found = documents.find_view(store, space)
            layout = None if found is None else documents.find_layout(store, space, found.layout)
            if found is None or layout is None:
                raise NotMaterialized(
                    f"The feature view {view!r} is not online.",
                    fix=f"Materialise it: treadle features materialize {view}",
                )
            keys |= {key: _KEYS[kind] for key, kind in found.keys}
            types = {
                feature: _datatype(kind_of(given)) for feature, given in zip(layout.names, layout.types, strict=True)
            }
            features |= {feature: given for feature, given in types.items() if feature in features}
        inputs = [one for view in service.on_demand for one in view["inputs"]]
        return Offered(
            name=service.service,
            digest=service.digest,
            features=features,
            keys=list(keys.items()),
            inputs=list(dict.fromkeys(inputs)),
        )


def _datatype(kind: str) -> str:
    """The datatype of the protocol; empty for what it has none for."""
    return kind.upper() if "int" in kind else _NUMBERS.get(kind, "")
