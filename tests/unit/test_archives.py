"""Cells by id, from a server on this machine that answers as the archives' documentation says, or badly."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from segdend_plugin.cells.files import archives, source
from segdend_plugin.errors import MorphologyError

CELL = b"""# from the archive
1 1 0 0 0 5 -1
2 3 0 -5 0 1 1
3 3 0 -25 0 1 2
4 4 0 5 0 1 1
5 4 0 105 0 1 4
"""
ALLEN = {
    "success": True,
    "num_rows": 1,
    "msg": [
        {
            "id": 527109145,
            "specimen_id": 488683425,
            "well_known_files": [
                {
                    "id": 527109147,
                    "download_link": "/api/v2/well_known_file_download/527109147",
                    "well_known_file_type": {"name": "3DNeuronMarker"},
                },
                {
                    "id": 527109146,
                    "download_link": "/api/v2/well_known_file_download/527109146",
                    "well_known_file_type": {"name": "3DNeuronReconstruction"},
                },
            ],
        }
    ],
}
NEUROMORPHO = {"neuron_id": 10047, "neuron_name": "cnic_001", "archive": "Wearne_Hof"}


class Server:
    """Answers with what `pages` holds: bytes, or a status."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | int] = {
            "/api/v2/well_known_file_download/527109146": CELL,
            "/api/neuron/name/cnic_001": json.dumps(NEUROMORPHO).encode(),
            "/api/neuron/id/10047": json.dumps(NEUROMORPHO).encode(),
            "/dableFiles/wearne_hof/CNG version/cnic_001.CNG.swc": CELL,
        }
        self.allen: bytes | int = json.dumps(ALLEN).encode()
        self.asked: list[str] = []
        self.cut = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(self.path)
                server.asked.append(path)
                query = path.startswith("/api/v2/data/query.json?criteria=model::NeuronReconstruction,rma::criteria,")
                known = server.allen if query and "[specimen_id$eq488683425]" in path else server.pages.get(path, 404)
                if isinstance(known, int):
                    self.send_error(known)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(known)))
                self.end_headers()
                self.wfile.write(known[: len(known) - server.cut])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    monkeypatch.setenv("SEGDEND_CACHE", str(tmp_path))
    monkeypatch.setenv("SEGDEND_ALLEN_URL", server.url)
    monkeypatch.setenv("SEGDEND_NEUROMORPHO_URL", server.url + "/")
    yield server
    server.http.shutdown()
    server.http.server_close()


IDS = ["allen:488683425", "neuromorpho:cnic_001", "neuromorpho:10047"]


@pytest.mark.parametrize("cell", IDS)
def test_fetched_once_and_kept_with_its_checksum(cell: str, server: Server, tmp_path: Path) -> None:
    found = source.load(cell)
    archive, _, name = cell.partition(":")
    assert found.swc == tmp_path / "morphologies" / archive / f"{name}.swc"
    assert found.swc.read_bytes() == CELL
    assert found.swc.with_suffix(".swc.sha256").read_text().split()[0] == hashlib.sha256(CELL).hexdigest()
    assert (found.given, found.morphology.name, found.findings) == (cell, f"{archive}_{name}", ())
    asked = list(server.asked)
    assert len(asked) == 2
    assert source.load(cell).swc == found.swc
    assert server.asked == asked
    assert sorted(path.suffix for path in found.swc.parent.iterdir()) == [".lock", ".sha256", ".swc"]


@pytest.mark.parametrize("cell", IDS)
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda server: setattr(server, "cut", 9), "cut off after", id="cut off"),
        pytest.param(lambda server: everywhere(server, b"<html>"), "is not JSON", id="a page"),
        pytest.param(lambda server: everywhere(server, b"[1]"), "has not the form", id="other JSON"),
        pytest.param(lambda server: everywhere(server, b'{"msg": "down"}'), "has not the form", id="a message"),
        pytest.param(lambda server: everywhere(server, b"\xff\xfe\x00"), "is not JSON", id="bytes"),
        pytest.param(lambda server: everywhere(server, 500), "status 500", id="500"),
        pytest.param(lambda server: everywhere(server, 404), "knows no such reconstruction; check the id", id="404"),
        pytest.param(lambda server: files(server, b"<html>not here</html>"), "no SWC file", id="a page for a file"),
        pytest.param(lambda server: files(server, b""), "no SWC file", id="an empty file"),
    ],
)
def test_a_bad_answer_has_its_sentence(
    cell: str, spoil: Callable[[Server], None], words: str, server: Server, tmp_path: Path
) -> None:
    spoil(server)
    with pytest.raises(MorphologyError) as error:
        source.load(cell)
    assert words in str(error.value)
    assert str(error.value).startswith(f"cell '{cell}' ")
    assert "\n" not in str(error.value)
    if "check the id" not in words:
        assert "put its SWC file at" in str(error.value)
    assert not list(tmp_path.rglob("*.swc"))


def everywhere(server: Server, answer: bytes | int) -> None:
    server.allen = answer
    server.pages = dict.fromkeys(server.pages, answer)


def files(server: Server, answer: bytes) -> None:
    for page in server.pages:
        if "download" in page or "dableFiles" in page:
            server.pages[page] = answer


def test_a_specimen_without_reconstruction(server: Server) -> None:
    server.allen = json.dumps({"success": True, "msg": []}).encode()
    with pytest.raises(MorphologyError, match="has no reconstruction of that specimen"):
        source.load("allen:488683425")


@pytest.mark.parametrize("cell", IDS)
def test_offline_says_where_to_put_the_file(cell: str, server: Server, tmp_path: Path) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(MorphologyError, match=r"cannot be fetched from .*put its SWC file at") as error:
        source.load(cell)
    place = Path(str(error.value).rpartition(" ")[2])
    assert place.is_relative_to(tmp_path)
    place.write_bytes(CELL)
    assert source.load(cell).swc == place


def test_a_server_that_is_silent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("SEGDEND_ALLEN_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(archives, "TIMEOUT", 0.2)
        with pytest.raises(MorphologyError, match="timed out"):
            source.load("allen:488683425")


def test_a_file_that_changed_in_the_cache_is_not_taken(server: Server) -> None:
    path = source.load("allen:488683425").swc
    path.write_bytes(CELL + b"# changed\n")
    with pytest.raises(MorphologyError, match="not the file whose checksum is beside it; delete both"):
        source.load("allen:488683425")
    path.unlink()
    path.with_suffix(".swc.sha256").unlink()
    assert source.load("allen:488683425").swc.read_bytes() == CELL


@pytest.mark.parametrize(
    "cell", ["allen:", "allen:x", "allen:../../etc", "neuromorpho:", "neuromorpho:a/b", "neuromorpho:.."]
)
def test_ids_that_cannot_be(cell: str, server: Server) -> None:
    with pytest.raises(MorphologyError, match="is no id of that archive"):
        source.name_of(cell)
    assert server.asked == []


def test_a_name_costs_no_download(server: Server) -> None:
    assert source.name_of("neuromorpho:04a_pyramidal5.b (1)") == "neuromorpho_04a_pyramidal5_b__1_"
    assert server.asked == []


def test_a_reconstruction_is_mended_like_any_file(server: Server) -> None:
    server.pages["/api/v2/well_known_file_download/527109146"] = CELL.replace(b"4 4 0 5 0 1 1", b"4 4 0 5 0 1 -1")
    with pytest.raises(MorphologyError, match="segdend morphology info allen:488683425 --repair"):
        source.load("allen:488683425")
    assert source.load("allen:488683425", repair=True).lines()[0].startswith("allen:488683425: the neurites that begin")
