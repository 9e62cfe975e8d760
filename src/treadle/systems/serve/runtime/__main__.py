"""`python -m treadle.systems.serve.runtime --serving DIR`: the model server."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from treadle.ground.errors import TreadleError
from treadle.ground.plugins import Plugins
from treadle.systems.serve.runtime.keyed import FeatureReader, OpenReader
from treadle.systems.serve.runtime.process import ServerSettings, run
from treadle.systems.serve.runtime.workers import Workers, reserve


def _opener(name: str, folder: Path) -> OpenReader:
    """Opens readers by what `name` names, which is imported when the first is asked for."""

    def open_reader(project: str, timeout_s: float) -> FeatureReader:
        reader: FeatureReader = Plugins("readers", {name: name}).load(name)(folder)(project, timeout_s)
        return reader

    return open_reader


def main() -> int:
    """0 after a clean stop, 2 for settings that cannot be used."""
    parser = argparse.ArgumentParser(prog="treadle-server", description="Serves the endpoints of a serving area.")
    parser.add_argument("--serving", type=Path, required=True, help="the folder with models, routes and predictions")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--grpc-port", type=int, help="where to answer gRPC too; 0 takes a free port, none does not")
    parser.add_argument("--port-file", type=Path, help="where to say, as JSON, who answers at which port")
    parser.add_argument("--ready-fd", type=int, help="a descriptor to say the same on, as one line, then close")
    parser.add_argument("--tied-fd", type=int, help="a pipe of whoever started this: when it closes, this server stops")
    parser.add_argument("--model-control", action="store_true", help="let clients beyond loopback load and unload")
    parser.add_argument("--log-budget-bytes", type=int, default=8 << 30, help="what unshipped predictions may hold")
    parser.add_argument(
        "--log-when-full",
        choices=("refuse", "sample"),
        default="refuse",
        help="beyond the budget: refuse requests, or record and count fewer and fewer of them from 80% of it on",
    )
    parser.add_argument("--segment-bytes", type=int, default=64 << 20, help="when a segment of the log is closed")
    parser.add_argument("--drain-s", type=float, default=30.0, help="how long a stop waits for requests in flight")
    parser.add_argument("--share-port", action="store_true", help="let several servers listen on one port")
    parser.add_argument("--workers", type=int, default=1, help="servers on one port, started again when they die")
    parser.add_argument("--parts", type=int, default=1, help="how many share the port, and the rate limits with it")
    parser.add_argument("--access-log", metavar="FILE", help="a JSON line for each request; - is the standard output")
    parser.add_argument("--access-log-share", type=float, default=1.0, help="of requests that went well; others always")
    parser.add_argument(
        "--otlp-endpoint",
        metavar="URL",
        default=os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"),
        help="where traces go, by OTLP over HTTP (or OTEL_EXPORTER_OTLP_ENDPOINT)",
    )
    parser.add_argument("--trace-share", type=float, default=1.0, help="of requests whose caller has not decided")
    parser.add_argument(
        "--reader",
        default="treadle.assembly.online_stores:reader_opener",
        metavar="MODULE:NAME",
        help="what opens the reader of features, called with the folder of embedded online stores",
    )
    parser.add_argument("--online", type=Path, help="that folder (default: online, beside the folder of --serving)")
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("treadle.serve").setLevel(logging.INFO)
    if given.workers > 1:
        return _supervise(given)
    settings = ServerSettings(
        serving=given.serving,
        host=given.host,
        port=given.port,
        grpc_port=given.grpc_port,
        port_file=given.port_file,
        ready_descriptor=given.ready_fd,
        tied_descriptor=given.tied_fd,
        token=os.environ.get("TREADLE_SERVE_TOKEN") or None,
        model_control=given.model_control,
        log_budget_bytes=given.log_budget_bytes,
        segment_bytes=given.segment_bytes,
        log_when_full=given.log_when_full,
        drain_s=given.drain_s,
        shares_port=given.share_port,
        parts=max(1, given.parts),
        access_log=given.access_log,
        access_log_share=given.access_log_share,
        otlp_endpoint=given.otlp_endpoint or None,
        trace_share=given.trace_share,
        open_reader=_opener(given.reader, given.online or given.serving.absolute().parent.parent / "online"),
    )
    try:
        run(settings)
        # The interpreter's end gives handled signals back to the system, but not those that are ignored: so a second one
        # does not turn a clean stop into a death.
        for stopping in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stopping, signal.SIG_IGN)
    except TreadleError as error:
        print("\n".join(error.sentences()), file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _supervise(given: argparse.Namespace) -> int:
    """Runs several workers; each gets the port, its part of the limits and of the log's budget."""
    try:
        with contextlib.ExitStack() as kept:
            port = kept.enter_context(reserve(given.host, given.port)).getsockname()[1]
            own = {"workers": None, "parts": given.workers, "share_port": True, "port": port, "ready_fd": None}
            own |= {"tied_fd": None, "port_file": None, "log_budget_bytes": given.log_budget_bytes // given.workers}
            if given.grpc_port is not None:
                own["grpc_port"] = kept.enter_context(reserve(given.host, given.grpc_port)).getsockname()[1]
            told: list[str] = []
            for name, value in {**vars(given), **own}.items():
                if value is not None and value is not False:
                    told += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
            workers = Workers(given.workers, told, given.drain_s, given.tied_fd, given.ready_fd, given.port_file)
            workers.run()
    except TreadleError as error:
        print("\n".join(error.sentences()), file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
