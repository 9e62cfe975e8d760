"""What KServe's own clients make of a server: REST and gRPC, health and inference; JSON with what they read to the output.

python kserve_client.py HTTP_URL GRPC_ADDRESS
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

VALUES = np.array([[0.5, -1.0, 0.25], [0.0, 1.0, -2.0]])


def request(model: str, *, binary: bool) -> InferRequest:
    given = InferInput(name="input", shape=list(VALUES.shape), datatype="FP64")
    given.set_data_from_numpy(VALUES, binary_data=binary)
    return InferRequest(model_name=model, infer_inputs=[given], request_id="k-1")


def read(answer: Any) -> dict[str, Any]:
    outputs = {one.name: np.ravel(one.as_numpy()).tolist() for one in answer.outputs if one.name == "probability"}
    return {"id": answer.id, "model": answer.model_name, **outputs}


async def by_rest(url: str) -> dict[str, Any]:
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    try:
        found = {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model_ready": await client.is_model_ready(url, "numbers"),
            "json": read(await client.infer(url, request("numbers", binary=False), model_name="numbers")),
            "binary": read(await client.infer(url, request("numbers", binary=True), model_name="numbers")),
        }
        try:
            await client.infer(url, request("nobody", binary=False), model_name="nobody")
        except Exception as error:
            found["refused"] = str(error)
    finally:
        await client.close()
    return found


async def by_grpc(address: str) -> dict[str, Any]:
    client = InferenceGRPCClient(url=address, retries=0)
    try:
        return {
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "model_ready": await client.is_model_ready("numbers"),
            "typed": read(await client.infer(request("numbers", binary=False))),
            "raw": read(await client.infer(request("numbers", binary=True))),
        }
    finally:
        await client.close()


async def main() -> None:
    print(json.dumps({"rest": await by_rest(sys.argv[1]), "grpc": await by_grpc(sys.argv[2])}))


asyncio.run(main())
