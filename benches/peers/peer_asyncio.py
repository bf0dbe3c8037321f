"""Echoes bytes with Python's asyncio.

    python3 peer_asyncio.py PORT
"""

import asyncio
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def main():
    loop = asyncio.get_running_loop()
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    chosen = server.sockets[0].getsockname()[1]
    print(f"listening tcp://127.0.0.1:{chosen}", flush=True)
    await server.serve_forever()


asyncio.run(main())
