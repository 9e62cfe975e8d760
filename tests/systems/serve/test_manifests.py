"""What is generated for a cluster is what Kubernetes takes, and starts the very same server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest
import yaml

from treadle.systems.serve.errors import BadDeployment
from treadle.systems.serve.manifests import PORT, ClusterPlan, dockerfile, manifests
from treadle.systems.serve.runtime import __main__ as server

PLAN = ClusterPlan(name="late-arrival", image="registry.example/treadle-server:1")


def by_kind(plan: ClusterPlan = PLAN) -> dict[str, Any]:
    made = list(yaml.safe_load_all(yaml.safe_dump_all(manifests(plan), sort_keys=False)))
    return {one["kind"]: one for one in made}


@pytest.mark.parametrize(
    "kind", ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"]
)
def test_kubernetes_takes_each_of_them_strictly(kind: str) -> None:
    kubernetes_validate.validate(by_kind()[kind], "1.32", strict=True)


def test_service_budget_autoscaler_and_policy_mean_the_deployment() -> None:
    made = by_kind(replace(PLAN, replicas=4))
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]

    for selector in (
        made["Service"]["spec"]["selector"],
        made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        made["Deployment"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert made["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == made["Deployment"]["metadata"]["name"]
    assert made["PodDisruptionBudget"]["spec"]["minAvailable"] == 2


def test_the_container_has_no_rights_and_time_to_drain() -> None:
    pod = by_kind()["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]

    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["ports"][0]["containerPort"] == PORT
    assert pod["terminationGracePeriodSeconds"] > 30 + 5


def test_the_image_starts_the_server_with_arguments_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    line = next(line for line in dockerfile("1.2", ("onnx",)).splitlines() if line.startswith("ENTRYPOINT"))
    command = yaml.safe_load(line.removeprefix("ENTRYPOINT "))
    seen: list[Any] = []
    monkeypatch.setattr("sys.argv", command[2:])
    monkeypatch.setattr(server, "run", lambda settings: seen.append(settings))
    monkeypatch.setattr(server.signal, "signal", lambda *_: None)

    assert command[:3] == ["python", "-m", "treadle.systems.serve.runtime"]
    assert server.main() == 0
    assert (str(seen[0].serving), seen[0].host, seen[0].port, seen[0].drain_s) == ("/serving", "0.0.0.0", PORT, 30.0)


@pytest.mark.parametrize(
    "given", [{"name": "Late_Arrival"}, {"image": "two words"}, {"replicas": 0}, {"replicas": 11}, {"cpus": 0.0}]
)
def test_what_a_cluster_refuses_is_refused_here(given: dict[str, Any]) -> None:
    with pytest.raises(BadDeployment):
        manifests(replace(PLAN, **given))
