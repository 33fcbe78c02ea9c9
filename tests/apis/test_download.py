"""Downloads from a real HTTP server that closes connections and sends wrong files."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ifdd_mmaction.apis import download as module
from ifdd_mmaction.apis.download import ZooError, download

DATA = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Sends DATA according to the settings of the server, and records the requests."""

    def do_GET(self):
        server = self.server
        wanted = self.headers.get('Range')
        server.asked.append(wanted)
        if server.status:
            self.send_error(server.status)
            return
        start = 0
        if wanted and server.ranges:
            start = int(re.fullmatch(r'bytes=(\d+)-', wanted)[1])
            if start >= len(server.data):
                self.send_error(416)
                return
        rest = server.data[start:]
        self.send_response(206 if start else 200)
        self.send_header('Content-Length', str(len(rest)))
        self.end_headers()
        # All of it, or as many bytes as this connection allows.
        limit = server.limits.pop(0) if server.limits else len(rest)
        self.wfile.write(rest[:limit])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.data, server.ranges, server.status = DATA, True, 0
    server.limits, server.asked = [], []
    server.url = f'http://127.0.0.1:{server.server_port}/model.pth'
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith('.lock'))


def test_a_file_is_downloaded_completely_and_once(server, tmp_path):
    path = tmp_path / 'new' / 'model.pth'
    download(server.url, path, SHA256)
    assert path.read_bytes() == DATA and leftovers(path.parent) == ['model.pth']
    download(server.url, path, SHA256)
    assert server.asked == [None]


@pytest.mark.parametrize('ranges', [True, False])
def test_a_lost_connection_is_continued(server, tmp_path, ranges):
    server.limits, server.ranges = [100_000, 200_000], ranges
    download(server.url, tmp_path / 'model.pth', SHA256)
    assert (tmp_path / 'model.pth').read_bytes() == DATA
    second = 300_000 if ranges else 200_000
    assert server.asked == [None, 'bytes=100000-', f'bytes={second}-']


def test_received_data_is_kept_for_the_next_call(server, tmp_path):
    server.limits = [100_000] * module.ATTEMPTS
    with pytest.raises(ZooError, match=r'300000 bytes of it are kept .* call again'):
        download(server.url, tmp_path / 'model.pth', SHA256)
    assert leftovers(tmp_path) == ['model.pth.part']
    download(server.url, tmp_path / 'model.pth', SHA256)
    assert server.asked[-1] == 'bytes=300000-'
    assert leftovers(tmp_path) == ['model.pth']


def test_another_file_is_refused_and_removed(server, tmp_path):
    server.data = DATA[::-1]
    with pytest.raises(ZooError, match=f'is not the file of the zoo.*{SHA256}'):
        download(server.url, tmp_path / 'model.pth', SHA256)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize('part', [DATA + b'more', DATA])
def test_a_complete_or_foreign_part_is_replaced(server, tmp_path, part):
    (tmp_path / 'model.pth.part').write_bytes(part)
    download(server.url, tmp_path / 'model.pth', SHA256)
    assert (tmp_path / 'model.pth').read_bytes() == DATA


def test_client_errors_are_not_retried(server, tmp_path):
    server.status = 404
    with pytest.raises(ZooError, match='returned 404'):
        download(server.url, tmp_path / 'model.pth', SHA256)
    assert len(server.asked) == 1


@pytest.mark.parametrize('url', ['file:///etc/passwd', 'zoo/model.pth', 'ftp://a/b'])
def test_only_http_addresses_are_allowed(tmp_path, url):
    with pytest.raises(ZooError, match='not an address'):
        download(url, tmp_path / 'model.pth', SHA256)


def test_an_unreachable_server_is_an_error_of_one_line(tmp_path, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(ZooError, match='no connection') as error:
        download(server.url, tmp_path / 'model.pth', SHA256)
    assert '\n' not in str(error.value)


def test_concurrent_callers_share_one_download(server, tmp_path):
    threads = [
        threading.Thread(
            target=download, args=(server.url, tmp_path / 'model.pth', SHA256)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == [None]
    assert (tmp_path / 'model.pth').read_bytes() == DATA
