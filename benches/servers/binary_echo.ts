/**
 * Sends every binary frame back: the public API and nothing beside it, with the
 * default time-outs, and room for more connections than the default. The same
 * three ways: as callbacks, as a loop, as web streams.
 *
 *     deno run --allow-net --no-check benches/servers/binary_echo.ts PORT callbacks|loop|streams
 *
 * @module
 */

import {
  bytes,
  type Handler,
  lengthPrefixed,
  serve,
  type Wire,
} from "../../mod.ts";

const [port = "0", style = "callbacks"] = Deno.args;

async function echo(
  wire: Wire<Uint8Array, Uint8Array>,
  handler: Handler<Uint8Array, Uint8Array>,
) {
  const { endpoints } = await serve({
    listen: `tcp://127.0.0.1:${port}`,
    wire,
    limits: { maxConnections: 20_000, firstMessageMs: 600_000 },
    handler,
  });
  console.log(`listening ${endpoints[0]}`);
}

switch (style) {
  case "callbacks":
    await echo(lengthPrefixed(bytes({ borrow: true })), {
      message: (peer, frame) => peer.send(frame),
    });
    break;
  case "loop":
    await echo(lengthPrefixed(bytes()), async (peer) => {
      for await (const frame of peer) {
        if (!peer.send(frame)) await peer.drained();
      }
    });
    break;
  case "streams":
    await echo(
      lengthPrefixed(bytes()),
      (peer) => peer.readable.pipeTo(peer.writable),
    );
    break;
  default:
    throw new Error(`Cannot echo: there is no such style: ${style}`);
}
