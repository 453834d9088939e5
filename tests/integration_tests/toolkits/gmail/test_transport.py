"""A write goes out once, over HTTPS as Gmail has it, whatever the server does."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httplib2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from langchain_agentrein.toolkits.gmail.transport import HttpOnce, NeverSent, ReplyLost, twin


@dataclass
class Secure:
    """A server with a certificate of its own.

    Attributes:
        hang_up: So many requests are read, and not answered.
        seen: The requests that came.
    """

    url: str
    certificate: Path
    hang_up: int = 0
    seen: list[str] = field(default_factory=list)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Secure]:
    pem = tmp_path / "server.pem"
    pem.write_bytes(_certificate())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            told.seen.append(self.path)
            if told.hang_up:
                told.hang_up -= 1
                self.close_connection = True
                return
            self.send_response_only(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that does not trust it hangs up."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        told = Secure(f"https://127.0.0.1:{server.server_address[1]}", pem)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield told
        server.shutdown()
        thread.join()


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + made.public_bytes(Encoding.PEM)


@pytest.fixture
def once(secure: Secure) -> Iterator[httplib2.Http]:
    given = httplib2.Http(ca_certs=str(secure.certificate), timeout=10)
    http = twin(given, HttpOnce)
    yield http
    http.close()


def test_requests_that_are_answered_follow_each_other(secure: Secure, once: httplib2.Http) -> None:
    for _ in range(3):
        assert once.request(secure.url, "POST", body="{}")[0].status == 200
    assert len(secure.seen) == 3


def test_one_that_is_not_answered_is_not_sent_again(secure: Secure, once: httplib2.Http) -> None:
    secure.hang_up = 1
    with pytest.raises(ReplyLost):
        once.request(secure.url, "POST", body="{}")
    assert len(secure.seen) == 1


def test_httplib2_itself_sends_it_again(secure: Secure) -> None:
    secure.hang_up = 1
    plain = httplib2.Http(ca_certs=str(secure.certificate), timeout=10)
    assert plain.request(secure.url, "POST", body="{}")[0].status == 200
    assert len(secure.seen) == 2
    plain.close()


def test_a_server_that_is_not_trusted_is_sent_nothing(secure: Secure) -> None:
    http = twin(httplib2.Http(timeout=10), HttpOnce)
    with pytest.raises(NeverSent, match="certificate verify failed"):
        http.request(secure.url, "POST", body="{}")
    http.close()
    assert secure.seen == []
