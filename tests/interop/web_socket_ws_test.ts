// Node's ws, in both directions, with its compression on and its defaults otherwise.
import { assertEquals } from "@std/assert";
import { WebSocket as NodeSocket, WebSocketServer } from "npm:ws@8.21.0";
import { connect, inOrder, lengthPrefixed, serve, text } from "../../mod.ts";
import { waitUntil, within } from "../support/wait.ts";

const WIRE = lengthPrefixed(text());
const WORDS = ["ahoy", "", "ümlaut ⚓".repeat(3000), "x".repeat(70_000)];

interface Emitter {
  on(event: string, listener: (...values: never[]) => unknown): unknown;
}

/** The next event of an emitter of Node's. */
function next(emitter: Emitter, event: string): Promise<unknown[]> {
  return within(
    event,
    new Promise((resolve) =>
      emitter.on(event, (...values: unknown[]) => resolve(values))
    ),
  );
}

Deno.test("ws is served, plain and compressed", async () => {
  for (const compress of [false, true]) {
    const reasons: unknown[] = [];
    await using server = await serve({
      listen: "ws://127.0.0.1:0/chart",
      wire: WIRE,
      webSocket: { compress, protocols: ["chart"], pingMs: 20 },
      handler: {
        message: (peer, message) => peer.send(message),
        close: (_peer, { reason }) => void reasons.push(reason),
      },
    });
    const socket = new NodeSocket(server.endpoint, ["other", "chart"]);
    let pings = 0;
    socket.on("ping", () => pings++);
    await next(socket, "open");
    assertEquals(socket.protocol, "chart");
    assertEquals(socket.extensions, compress ? "permessage-deflate" : "");
    for (const word of WORDS) {
      const answered = next(socket, "message");
      socket.send(word);
      assertEquals(String((await answered)[0]), word);
    }
    const ponged = next(socket, "pong");
    socket.ping("there?");
    assertEquals(String((await ponged)[0]), "there?");
    await waitUntil("pings that it answers", () => pings > 3);
    const closed = next(socket, "close");
    socket.close(4000, "done");
    const [code, reason] = await closed;
    assertEquals([code, String(reason)], [4000, "done"]);
    await waitUntil("its end", () => reasons.length === 1);
    assertEquals(reasons, ["closed with 4000: done"]);
  }
});

Deno.test("ws serves our client, plain and compressed", async () => {
  for (const perMessageDeflate of [false, true]) {
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      perMessageDeflate,
    });
    await next(server, "listening");
    const { port } = server.address() as { port: number };
    const heard: { compressed: boolean; code?: number; reason?: string } = {
      compressed: false,
    };
    server.on("connection", (socket: NodeSocket) => {
      heard.compressed = socket.extensions === "permessage-deflate";
      socket.on("message", (data: Uint8Array, isBinary: boolean) => {
        assertEquals(isBinary, false);
        socket.send(String(data));
      });
      socket.on("close", (code: number, reason: Uint8Array) => {
        heard.code = code;
        heard.reason = String(reason);
      });
    });
    const client = await connect({
      to: `ws://127.0.0.1:${port}/`,
      wire: WIRE,
      webSocket: { compress: true },
      correlate: inOrder(),
    });
    for (const word of WORDS) {
      assertEquals(await within("echo", client.request(word)), word);
    }
    await within("the end", client.close("that is all"));
    await waitUntil("its end", () => heard.code !== undefined);
    assertEquals(heard, {
      compressed: perMessageDeflate,
      code: 1000,
      reason: "that is all",
    });
    server.close();
    await next(server, "close");
  }
});
