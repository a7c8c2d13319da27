"""Reconstructions by id from the Allen Cell Types Database and NeuroMorpho.Org, kept in the user's cache.

A file is fetched once, under a lock, and appears in one step with its checksum beside it, which is compared on every
later use. Only the standard library speaks to the servers.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segdend_plugin.cells.files.catalogue import ARCHIVES
from segdend_plugin.errors import MorphologyError
from segdend_plugin.resources import cache

ALLEN, NEUROMORPHO = ARCHIVES
SERVERS = {ALLEN: "http://api.brain-map.org", NEUROMORPHO: "https://neuromorpho.org"}
"""Where to ask; ``SEGDEND_ALLEN_URL`` and ``SEGDEND_NEUROMORPHO_URL`` name mirrors."""
TIMEOUT = 30.0
"""Seconds that a server may be silent."""
LARGEST = 100_000_000
"""Bytes of the largest file that is taken."""

_PATIENCE = 300.0  # seconds to wait for another process that fetches the same file
_ALLEN_QUERY = (
    "/api/v2/data/query.json?criteria=model::NeuronReconstruction,rma::criteria,[specimen_id$eq{specimen}],"
    "rma::include,well_known_files(well_known_file_type)"
)
_ALLEN_SWC = "3DNeuronReconstruction"
_NAME = {ALLEN: re.compile(r"[0-9]{1,15}"), NEUROMORPHO: re.compile(r"[\w+()\-][\w+()\- .]{0,150}")}


def archive_of(cell: str) -> tuple[str, str] | None:
    """Split 'allen:488683425' into archive and id; None if it names no archive.

    Raises
    ------
    MorphologyError
        If the id cannot be one of that archive.
    """
    archive, colon, name = cell.partition(":")
    if not colon or archive.lower() not in SERVERS:
        return None
    archive = archive.lower()
    if not _NAME[archive].fullmatch(name):
        example = "allen:488683425, a specimen" if archive == ALLEN else "neuromorpho:NAME, or its number there"
        raise MorphologyError(f"cell '{cell}': '{name}' is no id of that archive; write for example {example}")
    return archive, name


def fetch(archive: str, name: str) -> Path:
    """Return the SWC file of a reconstruction, from the cache or else from the archive.

    Parameters
    ----------
    archive, name
        As :func:`archive_of` returns them.

    Raises
    ------
    MorphologyError
        If it is not in the cache and cannot be fetched, or the file in the cache is not the one that was fetched.
    """
    path = cache().absolute() / "morphologies" / archive / f"{name}.swc"
    if path.is_file() and _checksum(path).is_file():  # in a cache that may be for reading only
        _compare(path)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock", timeout=_PATIENCE):
            if not path.is_file():
                _keep(path, _download(archive, name, path))
            _compare(path)
    except Timeout:
        raise MorphologyError(f"another process has held {path}.lock for {_PATIENCE:.0f} s; end it") from None
    except OSError as error:
        raise MorphologyError(
            f"{path} cannot be kept ({error.strerror or error}); set SEGDEND_CACHE to a writable folder"
        ) from None
    return path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears in one step."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _keep(path: Path, data: bytes) -> None:
    write_whole(_checksum(path), f"{hashlib.sha256(data).hexdigest()}  {path.name}\n".encode())
    write_whole(path, data)  # last: a file without checksum is one that a user put there


def _checksum(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _compare(path: Path) -> None:
    """Compare a file with its checksum, or note that of a file that a user put there."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    noted = _checksum(path)
    if not noted.is_file():
        write_whole(noted, f"{found}  {path.name}\n".encode())
    elif noted.read_text(errors="replace").split()[:1] != [found]:
        raise MorphologyError(f"{path} is not the file whose checksum is beside it; delete both to fetch it again")


# ---------------------------------------------------------------------------------------------------------- the servers


def _download(archive: str, name: str, path: Path) -> bytes:
    cell = f"{archive}:{name}"
    server = os.environ.get(f"SEGDEND_{archive.upper()}_URL", SERVERS[archive]).rstrip("/")
    try:
        url = _allen_file(server, name, cell) if archive == ALLEN else _neuromorpho_file(server, name, cell)
        data = _get(url)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise MorphologyError(
                f"cell '{cell}' is not there: {server} knows no such reconstruction; check the id"
            ) from None
        raise _offline(cell, server, path, f"status {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # no network, cut off, no URL
        reason = getattr(error, "reason", None) or error
        raise _offline(cell, server, path, " ".join(str(reason).split()) or type(error).__name__) from None
    if not re.search(rb"^\s*\d+\s+\d+(\s+\S+){5}", data, re.MULTILINE):
        raise _offline(cell, server, path, "what it sent is no SWC file")
    return data


def _offline(cell: str, server: str, path: Path, reason: str) -> MorphologyError:
    return MorphologyError(
        f"cell '{cell}' cannot be fetched from {server} ({reason}); try again, or put its SWC file at {path}"
    )


def _get(url: str) -> bytes:
    """Return what a URL holds; a file that is cut off is an error."""
    request = urllib.request.Request(url, headers={"User-Agent": "segdend_plugin"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        data: bytes = answer.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError(f"more than {LARGEST // 1_000_000} MB")
        announced = answer.headers.get("Content-Length")
        if announced is not None and announced.isdigit() and int(announced) != len(data):
            raise ValueError(f"cut off after {len(data)} of {announced} bytes")
    return data


def _json(url: str) -> Any:
    try:
        return json.loads(_get(url))
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("its answer is not JSON") from None


def _allen_file(server: str, specimen: str, cell: str) -> str:
    """Return the URL of the reconstruction of a specimen (RMA query of the Allen Brain Atlas API)."""
    query = _ALLEN_QUERY.format(specimen=specimen)
    answer = _json(server + urllib.parse.quote(query, safe="/?=&:,[]$()"))
    try:
        files = [file for found in answer["msg"] for file in found["well_known_files"]]
        swc = [file for file in files if _kind(file) in ("", _ALLEN_SWC)]
        links = [str(file.get("download_link") or f"/api/v2/well_known_file_download/{file['id']}") for file in swc]
    except (KeyError, TypeError, AttributeError):
        raise ValueError("its answer has not the form that its documentation gives") from None
    if not links:
        raise MorphologyError(f"cell '{cell}': the Allen database has no reconstruction of that specimen; check the id")
    return server + links[0] if links[0].startswith("/") else links[0]


def _kind(file: dict[str, Any]) -> str:
    return str((file.get("well_known_file_type") or {}).get("name", ""))


def _neuromorpho_file(server: str, name: str, cell: str) -> str:
    """Return the URL of the standardised file of a neuron by name, or by number where the id is one."""
    way = "id" if name.isdigit() else "name"
    answer = _json(f"{server}/api/neuron/{way}/{urllib.parse.quote(name, safe='')}")
    try:
        archive, neuron = str(answer["archive"]), str(answer["neuron_name"])
    except (KeyError, TypeError):
        raise ValueError("its answer has not the form that its documentation gives") from None
    folder, file = urllib.parse.quote(archive.lower(), safe=""), urllib.parse.quote(neuron, safe="")
    return f"{server}/dableFiles/{folder}/CNG%20version/{file}.CNG.swc"
