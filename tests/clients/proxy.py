"""A proxy that adds a key to each request, for clients that can't send one. It changes nothing else, byte for byte."""

import socket
import socketserver
from threading import Thread
from urllib.parse import urlsplit

CHUNK_BYTES = 65536
TIMEOUT_SECONDS = 30


class Proxy:
    def __init__(self, url, key):
        target = urlsplit(url)
        address = (target.hostname, target.port)

        class Handler(socketserver.StreamRequestHandler):
            timeout = TIMEOUT_SECONDS

            def handle(self):
                """Serves one request; the answer of a closed connection needs no parsing."""
                line, headers = self.rfile.readline(), list(iter(self.rfile.readline, b"\r\n"))
                named = [(header.split(b":", 1)[0].lower(), header) for header in headers]
                length = next((int(header.split(b":", 1)[1]) for name, header in named if name == b"content-length"), 0)
                kept = [header for name, header in named if name != b"connection"]
                added = [f"authorization: Bearer {key}\r\n".encode(), b"connection: close\r\n"]
                with socket.create_connection(address, TIMEOUT_SECONDS) as server:
                    server.sendall(b"".join([line, *added, *kept, b"\r\n", self.rfile.read(length)]))
                    while answer := server.recv(CHUNK_BYTES):
                        self.wfile.write(answer)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{target.path}"
        self.thread = Thread(target=self.server.serve_forever)

    def start(self):
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
