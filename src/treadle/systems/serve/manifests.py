"""A model server on Kubernetes: its manifests and its Dockerfile, as text that a person reads before it is applied.

It is the same process as on a laptop, over the same serving area: a volume that the control plane writes (models, routes)
and from which it ships the prediction log. So a deployment, a split or a canary takes effect in the pods within a second,
without a rollout of Kubernetes. What is generated asks for nothing that a restricted cluster refuses: no root, a read-only
file system, no capabilities, no service account, no way out of the pod.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treadle.systems.serve.errors import BadDeployment

PORT = 8080
DRAIN_S = 30
_USER = 10001
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """What a cluster is told. name: of everything that is made. claim: the volume claim with the serving area, which
    several pods and the control plane mount (ReadWriteMany). secret: has the token under the key `token`.

    cpus and memory_mib are asked for by each pod; a pod may use no more memory, and more CPU where it is idle.
    """

    name: str
    image: str
    namespace: str = "default"
    claim: str = "treadle-serving"
    secret: str = "treadle-serve-token"  # noqa: S105 - its name, not what is in it
    replicas: int = 2
    max_replicas: int = 10
    cpus: float = 1.0
    memory_mib: int = 512
    target_cpu_percent: int = 70


def manifests(plan: ClusterPlan) -> list[dict[str, Any]]:
    """Deployment, Service, HorizontalPodAutoscaler, PodDisruptionBudget and NetworkPolicy, ready to be written as YAML.

    Raises BadDeployment for names or figures that a cluster refuses.
    """
    _check(plan)
    return [_deployment(plan), _service(plan), _autoscaler(plan), _disruption(plan), _network(plan)]


def dockerfile(version: str, extras: tuple[str, ...]) -> str:
    """The image of the server: nothing in it but Python, Treadle with what the engines need, and a user without rights."""
    wanted = f"treadle[{','.join(sorted(extras))}]=={version}" if extras else f"treadle=={version}"
    return f"""\
# The model server. The serving area is a volume: models and routes come from it, predictions go to it.
FROM python:3.12-slim
RUN pip install --no-cache-dir '{wanted}' && useradd --uid {_USER} --no-create-home --shell /usr/sbin/nologin treadle
USER {_USER}
EXPOSE {PORT}
ENTRYPOINT ["python", "-m", "treadle.systems.serve.runtime", "--serving", "/serving", "--host", "0.0.0.0", "--port", "{PORT}", \
"--drain-s", "{DRAIN_S}"]
"""


def _deployment(plan: ClusterPlan) -> dict[str, Any]:
    probe = {"port": "http", "scheme": "HTTP"}
    container = {
        "name": "server",
        "image": plan.image,
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": [
            {
                "name": "TREADLE_SERVE_TOKEN",
                "valueFrom": {"secretKeyRef": {"name": plan.secret, "key": "token"}},
            }
        ],
        "resources": {
            "requests": {"cpu": f"{round(plan.cpus * 1000)}m", "memory": f"{plan.memory_mib}Mi"},
            "limits": {"memory": f"{plan.memory_mib}Mi"},
        },
        "startupProbe": {
            "httpGet": {"path": "/v2/health/live", **probe},
            "periodSeconds": 1,
            "failureThreshold": 60,
        },
        "livenessProbe": {"httpGet": {"path": "/v2/health/live", **probe}, "periodSeconds": 10, "timeoutSeconds": 2},
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready", **probe}, "periodSeconds": 2, "timeoutSeconds": 2},
        # The pod is taken out of the Service first, then told to stop: no request meets a closed door.
        "lifecycle": {"preStop": {"exec": {"command": ["python", "-c", "import time; time.sleep(5)"]}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "serving", "mountPath": "/serving"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": DRAIN_S + 15,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": _selector(plan)},
            }
        ],
        "containers": [container],
        "volumes": [
            {"name": "serving", "persistentVolumeClaim": {"claimName": plan.claim}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        ],
    }
    spec = {
        "replicas": plan.replicas,
        "selector": {"matchLabels": _selector(plan)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": _labels(plan)}, "spec": pod},
    }
    return _object("apps/v1", "Deployment", plan, spec)


def _service(plan: ClusterPlan) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return _object("v1", "Service", plan, {"type": "ClusterIP", "selector": _selector(plan), "ports": ports})


def _autoscaler(plan: ClusterPlan) -> dict[str, Any]:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": plan.target_cpu_percent}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": plan.name},
        "minReplicas": plan.replicas,
        "maxReplicas": plan.max_replicas,
        "metrics": [{"type": "Resource", "resource": cpu}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", plan, spec)


def _disruption(plan: ClusterPlan) -> dict[str, Any]:
    least = max(1, math.floor(plan.replicas / 2)) if plan.replicas > 1 else 0
    spec = {"minAvailable": least, "selector": {"matchLabels": _selector(plan)}}
    return _object("policy/v1", "PodDisruptionBudget", plan, spec)


def _network(plan: ClusterPlan) -> dict[str, Any]:
    """In: from pods with the label `treadle.dev/client: "true"`, to the server's port. Out: nothing; it needs nothing."""
    client = {"podSelector": {"matchLabels": {"treadle.dev/client": "true"}}}
    spec = {
        "podSelector": {"matchLabels": _selector(plan)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [client], "ports": [{"protocol": "TCP", "port": PORT}]}],
        "egress": [],
    }
    return _object("networking.k8s.io/v1", "NetworkPolicy", plan, spec)


def _object(version: str, kind: str, plan: ClusterPlan, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": plan.name, "namespace": plan.namespace, "labels": _labels(plan)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _selector(plan: ClusterPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "treadle-server", "app.kubernetes.io/instance": plan.name}


def _labels(plan: ClusterPlan) -> dict[str, str]:
    return {**_selector(plan), "app.kubernetes.io/managed-by": "treadle", "app.kubernetes.io/component": "serving"}


def _check(plan: ClusterPlan) -> None:
    for what, name in (
        ("name", plan.name),
        ("namespace", plan.namespace),
        ("claim", plan.claim),
        ("secret", plan.secret),
    ):
        if not _LABEL.fullmatch(name):
            raise BadDeployment(
                f"{name!r} cannot be a {what} in a cluster.",
                why="It has 1 to 63 small letters, digits or dashes, and begins and ends with a letter or digit.",
                fix="Choose another with --name, --namespace, --claim or --secret.",
            )
    if not plan.image.strip() or any(letter.isspace() for letter in plan.image):
        raise BadDeployment(
            f"{plan.image!r} is no image.", fix="Name one with its tag, such as registry/team/server:1."
        )
    if not 1 <= plan.replicas <= plan.max_replicas:
        raise BadDeployment(f"{plan.replicas} to {plan.max_replicas} pods are no range.")
    if plan.cpus <= 0 or plan.memory_mib < 64 or not 1 <= plan.target_cpu_percent <= 100:
        raise BadDeployment("A pod takes some CPU and at least 64 MiB, and scales at 1 to 100 % of its CPU.")
