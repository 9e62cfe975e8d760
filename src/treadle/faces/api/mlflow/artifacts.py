"""Artifacts over the protocol: the proxy that clients upload to and download from, and the pages' own routes.

Every path that a client names is a key of rows (`systems/train/files`), decoded once by the router and checked before
anything is looked up. Bytes stream: an upload goes into its sink, a download is the blob's own file.
"""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlencode

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, Sink, answered
from treadle.systems.train.files.names import checked_folder, joined
from treadle.systems.train.files.roots import ArtifactRoots, Root, below
from treadle.systems.train.files.service import FileNamed, FolderNamed, Incoming
from treadle.systems.train.files.uploads import IncomingPart, Ticket
from treadle.wire.mlflow import artifacts as wire
from treadle.wire.mlflow.errors import ProtocolError, invalid, missing

PRESIGNED_FOR = timedelta(minutes=5)
UPLOAD_MAX_BYTES = 10 << 20
"""How large a file the pages' own upload takes."""

_ROOTS = ArtifactRoots()
_NO_PRESIGNED_DOWNLOAD = "Multipart download is not supported for the current artifact repository"
_MAX_PRESIGNED_S = 604_800


# The proxy


def download(exchange: Exchange) -> Answer:
    """GET mlflow-artifacts/artifacts/{path}"""
    return _file(exchange, exchange.parameters["path"])


def upload(exchange: Exchange) -> Sink:
    """PUT mlflow-artifacts/artifacts/{path}"""
    path = exchange.parameters["path"]
    if path.endswith("/"):
        raise invalid("Artifact path must include a filename (cannot end with '/').")
    return _FileSink(exchange.workspace.tracking.files.begin(exchange.caller, path))


def listed(exchange: Exchange) -> Answer:
    """GET mlflow-artifacts/artifacts?path=; paths are below the folder that was asked for."""
    asked = exchange.read(wire.ListFolder)
    entries = exchange.workspace.tracking.files.list(exchange.caller, FolderNamed(path=asked.path or ""))
    return answered(wire.listing(entries))


def deleted(exchange: Exchange) -> Answer:
    """DELETE mlflow-artifacts/artifacts/{path}"""
    exchange.workspace.tracking.files.delete(exchange.caller, FileNamed(path=exchange.parameters["path"]))
    return Answer()


def presigned(exchange: Exchange) -> Answer:
    """GET mlflow-artifacts/presigned/{path}"""
    path = exchange.parameters["path"]
    found = exchange.workspace.tracking.files.address(exchange.caller, path, valid_for=PRESIGNED_FOR)
    if found is None:
        raise ProtocolError("NOT_IMPLEMENTED", _NO_PRESIGNED_DOWNLOAD)
    return answered({"url": found.url, "headers": {}, "file_size": found.size_bytes})


# Uploads in parts


def multipart_created(exchange: Exchange) -> Answer:
    """POST mlflow-artifacts/mpu/create/{path}: an address for each part, at this server."""
    asked = exchange.read(wire.CreateMultipart)
    made, tickets = exchange.workspace.tracking.uploads.create(
        exchange.caller, _multipart_path(exchange, asked.path), asked.num_parts
    )
    place = f"{exchange.base_url}/api/2.0/mlflow-artifacts/mpu/parts/{made.id}"
    addresses = [
        (each.number, f"{place}/{each.number}?{urlencode({'expires': each.expires, 'signature': each.signature})}")
        for each in tickets
    ]
    return answered(wire.multipart(made.id, addresses))


def multipart_part(exchange: Exchange) -> Sink:
    """PUT mlflow-artifacts/mpu/parts/{upload}/{number}: whoever has the signed address may send the part."""
    try:
        number = int(exchange.parameters["number"])
        expires = int(exchange.query.get("expires", ["0"])[0])
    except ValueError:
        raise invalid("The address of this part was changed.") from None
    signature = exchange.query.get("signature", [""])[0]
    ticket = Ticket(upload=exchange.parameters["upload"], number=number, expires=expires, signature=signature)
    return _PartSink(exchange.workspace.tracking.uploads.begin_part(ticket))


def multipart_completed(exchange: Exchange) -> Answer:
    """POST mlflow-artifacts/mpu/complete/{path}"""
    asked = exchange.read(wire.CompleteMultipart)
    digests = {part.part_number: part.etag.strip('"') for part in asked.parts}
    path = _multipart_path(exchange, asked.path)
    exchange.workspace.tracking.uploads.complete(exchange.caller, path, asked.upload_id, digests)
    return Answer()


def multipart_aborted(exchange: Exchange) -> Answer:
    """POST mlflow-artifacts/mpu/abort/{path}"""
    exchange.workspace.tracking.uploads.abort(exchange.caller, exchange.read(wire.AbortMultipart).upload_id)
    return Answer()


# By run, logged model and model version


def listed_of_run(exchange: Exchange) -> Answer:
    """GET mlflow/artifacts/list; paths are below the run's root."""
    asked = exchange.read(wire.ListOfRun)
    return _listing(exchange, _root_of_run(exchange, asked.run_id or asked.run_uuid), asked.path)


def listed_of_model(exchange: Exchange) -> Answer:
    """GET mlflow/logged-models/{model_id}/artifacts/directories"""
    asked = exchange.read(wire.ListOfModel)
    return _listing(exchange, _root_of_model(exchange, exchange.parameters["model_id"]), asked.artifact_directory_path)


def file_of_run(exchange: Exchange) -> Answer:
    """GET /get-artifact"""
    run = _asked(exchange, "run_id") or _asked(exchange, "run_uuid") or ""
    return _file(exchange, _root_of_run(exchange, run).below(_required(exchange, "path")))


def file_of_model(exchange: Exchange) -> Answer:
    """GET ajax mlflow/logged-models/{model_id}/artifacts/files"""
    path = _asked(exchange, "artifact_file_path")
    if not path:
        raise ProtocolError("BAD_REQUEST", 'Request must include the "artifact_file_path" query parameter.')
    return _file(exchange, _root_of_model(exchange, exchange.parameters["model_id"]).below(path))


def file_of_version(exchange: Exchange) -> Answer:
    """GET /model-versions/get-artifact"""
    name, version = _required(exchange, "name"), _required(exchange, "version")
    if not version.isascii() or not version.isdecimal() or len(version) > 9:
        raise invalid(f"Model version must be an integer, got '{version[:100]}'")
    exchange.caller.require("model.read")
    with exchange.workspace.store.read() as reader:
        root = _ROOTS.of_version(reader, exchange.caller.project, name, int(version))
    return _file(exchange, root.below(_required(exchange, "path")))


def uploaded_to_run(exchange: Exchange) -> Answer:
    """POST ajax mlflow/upload-artifact: one small file, as the pages send it."""
    run, path = _asked(exchange, "run_uuid"), _asked(exchange, "path")
    if not run:
        raise invalid("Request must specify run_uuid.")
    if not path:
        raise invalid("Request must specify path.")
    if not exchange.body:
        raise invalid("Request must specify data.")
    if len(exchange.body) > UPLOAD_MAX_BYTES:
        raise invalid("Artifact size is too large. Max size is 10MB.")
    exchange.workspace.tracking.files.put_bytes(exchange.caller, _root_of_run(exchange, run).below(path), exchange.body)
    return Answer(body=b"")


def presigned_upload(exchange: Exchange) -> Answer:
    """POST mlflow/artifacts/presigned-upload-url: refused, since bytes that nobody hashed have no name here."""
    asked = exchange.read(wire.PresignUpload)
    if bool(asked.run_id) == bool(asked.model_id):
        raise invalid("Exactly one of run_id and model_id must be provided.")
    root = _root_of_run(exchange, asked.run_id) if asked.run_id else _root_of_model(exchange, asked.model_id)
    raise _needs_direct_storage(root, "Presigned upload is not supported for proxied artifact storage")


def presigned_download(exchange: Exchange) -> Answer:
    """POST mlflow/artifacts/presigned-download-url: an address of the object store, where there is one."""
    asked = exchange.read(wire.PresignDownload)
    if not 1 <= asked.expiration <= _MAX_PRESIGNED_S:
        raise invalid(f"expiration must be between 1 and {_MAX_PRESIGNED_S} seconds (got {asked.expiration}).")
    root = _root_of_run(exchange, asked.run_id)
    valid_for = timedelta(seconds=asked.expiration)
    found = exchange.workspace.tracking.files.address(exchange.caller, root.below(asked.path), valid_for=valid_for)
    if found is None:
        raise _needs_direct_storage(root, "Presigned download is not supported for runs with proxied artifact storage")
    return answered({"presigned_url": found.url, "headers": {}, "file_size": found.size_bytes})


class _FileSink:
    """An upload of a whole file."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming, self.small_bytes = incoming, incoming.small_bytes

    def write(self, *pieces: bytes | memoryview) -> None:
        self._incoming.write(*pieces)

    def abort(self) -> None:
        self._incoming.abort()

    def commit(self) -> Answer:
        stored = self._incoming.commit()
        return Answer(headers={"etag": wire.etag(stored.digest)})


class _PartSink:
    """An upload of one part."""

    small_bytes = 0

    def __init__(self, incoming: IncomingPart) -> None:
        self._incoming = incoming

    def write(self, *pieces: bytes | memoryview) -> None:
        self._incoming.write(*pieces)

    def abort(self) -> None:
        self._incoming.abort()

    def commit(self) -> Answer:
        part = self._incoming.commit()
        return Answer(body=b"", headers={"etag": wire.etag(part.digest)})


def _file(exchange: Exchange, path: str) -> Answer:
    opened = exchange.workspace.tracking.files.open(exchange.caller, path)
    headers = {"etag": wire.etag(opened.file.digest), "cache-control": "no-cache"}
    if wire.is_among(opened.file.digest, exchange.headers.get("if-none-match", "")):
        opened.stream.close()
        return Answer(status=304, body=b"", headers=headers)
    return Answer(
        file=opened.stream,
        size_bytes=opened.file.size_bytes,
        filename=opened.file.name,
        media_type=wire.media_type(opened.file.name),
        headers=headers,
    )


def _listing(exchange: Exchange, root: Root, path: str | None) -> Answer:
    entries = exchange.workspace.tracking.files.list(exchange.caller, FolderNamed(path=below(root, path)))
    return answered(wire.listing(entries, below=checked_folder(path or ""), root_uri=root.uri))


def _root_of_run(exchange: Exchange, run: str) -> Root:
    if not run:
        raise missing("run_id")
    exchange.caller.require("run.read")
    with exchange.workspace.store.read() as reader:
        return _ROOTS.of_run(reader, exchange.caller.project, run)


def _root_of_model(exchange: Exchange, model: str) -> Root:
    exchange.caller.require("logged_model.read")
    with exchange.workspace.store.read() as reader:
        return _ROOTS.of_model(reader, exchange.caller.project, model)


def _multipart_path(exchange: Exchange, local: str) -> str:
    return joined(exchange.parameters.get("path", "").strip("/"), wire.last_name(local))


def _needs_direct_storage(root: Root, what: str) -> ProtocolError:
    scheme = re.match(r"[a-z0-9+.-]*", root.uri.lower())
    return invalid(
        f"{what} (artifact URI scheme: {scheme[0] if scheme else ''}). "
        "Upload to and download from this server's mlflow-artifacts routes: the same bytes are stored once."
    )


def _asked(exchange: Exchange, name: str) -> str | None:
    values = exchange.query.get(name)
    return values[0] if values else None


def _required(exchange: Exchange, name: str) -> str:
    value = _asked(exchange, name)
    if not value:
        raise missing(name)
    return value


_PROXY = "2.0/mlflow-artifacts"

ROUTES = [
    Route("GET", f"{_PROXY}/artifacts", listed, "slow"),
    Route("GET", f"{_PROXY}/artifacts/{{path:path}}", download, "slow"),
    Route("PUT", f"{_PROXY}/artifacts/{{path:path}}", upload, "upload"),
    Route("DELETE", f"{_PROXY}/artifacts/{{path:path}}", deleted, "slow"),
    Route("GET", f"{_PROXY}/presigned/{{path:path}}", presigned, "slow"),
    Route("POST", f"{_PROXY}/mpu/create", multipart_created, "slow"),
    Route("POST", f"{_PROXY}/mpu/create/{{path:path}}", multipart_created, "slow"),
    Route("PUT", f"{_PROXY}/mpu/parts/{{upload}}/{{number}}", multipart_part, "upload", is_public=True),
    Route("POST", f"{_PROXY}/mpu/complete", multipart_completed, "slow"),
    Route("POST", f"{_PROXY}/mpu/complete/{{path:path}}", multipart_completed, "slow"),
    Route("POST", f"{_PROXY}/mpu/abort", multipart_aborted, "slow"),
    Route("POST", f"{_PROXY}/mpu/abort/{{path:path}}", multipart_aborted, "slow"),
    Route("GET", "2.0/mlflow/artifacts/list", listed_of_run, "slow"),
    Route("GET", "2.0/mlflow/logged-models/{model_id}/artifacts/directories", listed_of_model, "slow"),
    Route("GET", "2.0/mlflow/logged-models/{model_id}/artifacts/files", file_of_model, "slow"),
    Route("GET", "/get-artifact", file_of_run, "slow"),
    Route("GET", "/model-versions/get-artifact", file_of_version, "slow"),
    Route("POST", "2.0/mlflow/upload-artifact", uploaded_to_run, "slow"),
    Route("POST", "2.0/mlflow/artifacts/presigned-upload-url", presigned_upload),
    Route("POST", "2.0/mlflow/artifacts/presigned-download-url", presigned_download, "slow"),
]
