"""A JSON-RPC client of few lines: one JSON text a line over TCP.

Run with a port; prints each line that it receives, so that a test can compare.
"""

import json
import socket
import sys


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def send(self, *messages):
        text = "".join(json.dumps(message) + "\n" for message in messages)
        self.socket.sendall(text.encode())

    def ask(self, id, method, params=None, **members):
        message = {"jsonrpc": "2.0", "id": id, "method": method, **members}
        if params is not None:
            message["params"] = params
        self.send(message)

    def notify(self, method, **params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def show(self, count=1):
        for _ in range(count):
            print(self.lines.readline(), end="", flush=True)


def main(port):
    client = Client(port)
    client.ask(1, "add", [2, 3])
    client.show()
    client.ask("é", "add", {"a": 2, "b": -2.5})
    client.show()
    client.ask(3, "nothing")
    client.show()
    client.send(
        [
            {"jsonrpc": "2.0", "id": 4, "method": "add", "params": [1, 1]},
            {"jsonrpc": "2.0", "id": 5, "method": "add", "params": ["a"]},
        ]
    )
    client.show()
    client.ask(6, "count", {"to": 3}, stream=2)
    client.show(2)
    client.notify("$/credit", id=6, count=2)
    client.show(2)
    client.ask(7, "sleep")
    client.notify("$/cancelRequest", id=7)
    client.show()
    client.ask(8, "sleep", deadline_ms=20)
    client.show()
    client.ask(9, "once", idempotency_key="order 17")
    client.show()
    again = Client(port)
    again.ask(10, "once", idempotency_key="order 17")
    again.show()
    client.ask(11, "later")
    client.socket.shutdown(socket.SHUT_WR)
    client.show(2)


main(int(sys.argv[1]))
