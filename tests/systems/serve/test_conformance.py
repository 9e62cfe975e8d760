"""The protocol, asked from outside by those who know nothing of Treadle: each check is a test of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http.aio as http_aio

from tests.systems.serve.models import Deployed
from tests.systems.serve.processes import Server
from tests.wire.oip.conformance import CHECKS, Target

Shared = tuple[Server, Deployed]


def target_of(server: Server) -> Target:
    address = server.process.grpc_address
    assert address is not None
    return Target(http=server.process.url, grpc=address, model="numbers")


def test_there_are_as_many_checks_as_the_docs_say() -> None:
    assert len(CHECKS) == 39


@pytest.mark.parametrize("name", CHECKS)
def test_the_server_conforms(shared_server: Shared, name: str) -> None:
    CHECKS[name](target_of(shared_server[0]))


@pytest.mark.parametrize("module", [http_aio, grpc_aio], ids=["http", "grpc"])
def test_tritons_asynchronous_clients_work_unchanged(shared_server: Shared, module: Any) -> None:
    target = target_of(shared_server[0])
    values = target.rows()

    async def ask() -> Any:
        address = target.grpc if module is grpc_aio else target.http.partition("//")[2]
        async with module.InferenceServerClient(address) as client:
            assert await client.is_server_ready()
            assert await client.is_model_ready("numbers")
            tensor = module.InferInput("input", list(values.shape), "FP64")
            tensor.set_data_from_numpy(values)
            return await client.infer("numbers", [tensor])

    result = asyncio.run(ask())

    assert np.ravel(result.as_numpy("probability")).tolist() == target.numbers()


def test_tritons_client_reads_configuration_and_statistics_over_grpc(shared_server: Shared) -> None:
    target = target_of(shared_server[0])
    with target.grpc_client() as client:
        config = client.get_model_config("flights").config
        client.infer("numbers", [target.grpc_input()])
        (found,) = client.get_inference_statistics("numbers").model_stats

    assert [one.name for one in config.input] == ["distance", "dep_hour", "carrier", "holiday"]
    assert found.inference_count >= 2
    assert found.inference_stats.success.ns > 0
