// Debian's python3-websockets as a client of ours and as a server for ours, with its compression on.
import { assertEquals } from "@std/assert";
import {
  bytes,
  connect,
  inOrder,
  lengthPrefixed,
  serve,
  text,
} from "../../mod.ts";
import { isInstalled } from "../support/installed.ts";
import { Program, run } from "../support/program.ts";
import { within } from "../support/wait.ts";

const PYTHON = "/usr/bin/python3";
const ignore = !await isInstalled(PYTHON, "-c", "import websockets");
const WIRE = lengthPrefixed(text());

const CLIENT = `
import asyncio, sys, websockets
async def main():
    url, compression = sys.argv[1], sys.argv[2] or None
    async with websockets.connect(url, compression=compression,
                                  subprotocols=["chart"]) as ws:
        print(ws.subprotocol, [e.name for e in ws.extensions])
        for message in "ahoy", "", "ümlaut ⚓" * 3000, "x" * 126, "y" * 70000:
            await ws.send(message)
            assert await ws.recv() == message
        await ws.send(["in ", "three ", "pieces"])
        print(await ws.recv())
        await (await ws.ping("are you there"))
        await ws.close(4321, "done")
        print(ws.close_code)
asyncio.run(main())
`;

const SERVER = `
import asyncio, sys, websockets
async def echo(ws, *_):
    try:
        async for message in ws:
            if message == b"bye": await ws.close(3999, "as you wish")
            else: await ws.send(message)
    except websockets.ConnectionClosed: pass
    print("ended", ws.close_code, ws.close_reason, flush=True)
async def main():
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=2**22,
                                compression=sys.argv[1] or None) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
`;

Deno.test({
  name: "websockets in Python is served, plain and compressed",
  ignore,
  async fn() {
    for (const compression of ["", "deflate"]) {
      const reasons: unknown[] = [];
      await using server = await serve({
        listen: "ws://127.0.0.1:0/chart",
        wire: WIRE,
        webSocket: { protocols: ["chart"], compress: true },
        handler: {
          message: (peer, message) => peer.send(message),
          close: (_peer, { reason }) => void reasons.push(reason),
        },
      });
      const { code, stdout, stderr } = await run([
        PYTHON,
        "-c",
        CLIENT,
        server.endpoint,
        compression,
      ]);
      assertEquals([code, stderr], [0, ""]);
      const extensions = compression === "" ? "[]" : "['permessage-deflate']";
      assertEquals(
        stdout,
        `chart ${extensions}\nin three pieces\n4321\n`,
      );
      assertEquals(reasons, ["closed with 4321: done"]);
    }
  },
});

Deno.test({
  name: "websockets in Python serves our client, plain and compressed",
  ignore,
  async fn() {
    for (const compression of ["", "deflate"]) {
      await using python = Program.start([PYTHON, "-c", SERVER, compression]);
      await python.until("a port", () => python.output.includes("\n"));
      const port = Number(/port (\d+)/.exec(python.output)?.[1]);
      await using client = await connect({
        to: `ws://127.0.0.1:${port}/`,
        wire: lengthPrefixed(bytes()),
        webSocket: { compress: true },
        correlate: inOrder(),
      });
      for (const size of [0, 125, 126, 65_535, 65_536, 1_000_000]) {
        const message = new Uint8Array(size).map((_, at) => at >> 3);
        const answer = await within("echo", client.request(message));
        assertEquals(answer.length, size);
        assertEquals(answer.every((byte, at) => byte === message[at]), true);
      }
      client.send(new TextEncoder().encode("bye"));
      assertEquals(await within("the end", client.closed), {
        cause: "peer closed",
        reason: "closed with 3999: as you wish",
      });
      await python.prints("ended 3999 as you wish");
    }
  },
});
