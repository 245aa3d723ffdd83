"""Stands between a client and a server on this machine, and counts what they say to each other."""

import contextlib
import dataclasses
import socket
import threading


@dataclasses.dataclass
class Exchange:
    """A question and its answer; bytes with the HTTP headers. Where it isn't HTTP: a connection's."""

    path: str = ""
    sent: int = 0
    received: int = 0


class CountingProxy:
    """`with CountingProxy(port) as proxy:`; clients take `proxy.port` for the server's.

    A question is recognised by the method at the beginning of received data: clients wait for an
    answer before they send the next question on a connection.
    """

    def __init__(self, server_port):
        self.exchanges = []
        self._server = ("127.0.0.1", server_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes accept()
        self._listener.close()

    def rounds(self):
        """The exchanges without those at the start: what there is, and a try of each way of asking."""
        if not self.exchanges:
            return []
        paths = [exchange.path for exchange in self.exchanges]
        return self.exchanges[paths.index(paths[-1]) + 1:]

    def n_bytes(self):
        """Sent and received so far, of all exchanges."""
        exchanges = list(self.exchanges)
        return sum(e.sent for e in exchanges), sum(e.received for e in exchanges)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        with client, contextlib.suppress(OSError), socket.create_connection(self._server) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            own = []  # the exchanges of this connection
            threading.Thread(target=self._answers, args=[server, client, own], daemon=True).start()
            while chunk := client.recv(1 << 16):
                if chunk.startswith((b"GET ", b"POST ")):
                    self._begin(own, chunk.split(b" ", 2)[1].decode(errors="replace"))
                elif not own:
                    self._begin(own, "")
                own[-1].sent += len(chunk)
                server.sendall(chunk)
            server.shutdown(socket.SHUT_RDWR)  # closing it alone would wait for who reads from it

    def _begin(self, own, path):
        own.append(Exchange(path))
        self.exchanges.append(own[-1])

    @staticmethod
    def _answers(server, client, own):
        with contextlib.suppress(OSError):
            while chunk := server.recv(1 << 16):
                own[-1].received += len(chunk)
                client.sendall(chunk)
            client.shutdown(socket.SHUT_RDWR)
