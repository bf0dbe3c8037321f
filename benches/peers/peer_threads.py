"""The job in Python as the field's tutorials do it: a thread per connection.

    python3 peer_threads.py PORT
"""

import json
import socket
import struct
import sys
import threading


def receive_exactly(conn, count):
    data = b""
    while len(data) < count:
        piece = conn.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return data


def handle(conn):
    while True:
        header = receive_exactly(conn, 4)
        if not header:
            break
        body = receive_exactly(conn, struct.unpack(">I", header)[0])
        message = json.loads(body)
        reply = json.dumps({
            "type": "echo_response",
            "content": message["content"],
            "timestamp": "x",
            "echoed_by": "TCP Server",
        }).encode()
        conn.sendall(struct.pack(">I", len(reply)) + reply)
    conn.close()


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
listener.listen(4096)
print(f"listening tcp://127.0.0.1:{listener.getsockname()[1]}", flush=True)
while True:
    conn, _ = listener.accept()
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=handle, args=(conn,), daemon=True).start()
