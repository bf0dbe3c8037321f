/**
 * Both sides of the tests of dead peers: `watch HOSTNAME` serves an endpoint for each way to notice one, and says when it
 * has; `talk ENDPOINT…` is the peer.
 *
 * @module
 */

import {
  connect,
  lines,
  serve,
  type ServeOptions,
  text,
} from "../../../mod.ts";
import { DEAD_PEER } from "../dead_peer.ts";

type Options = Partial<ServeOptions<string, string, string>>;

const [role, ...args] = Deno.args;
const wire = lines(text());

async function watch(
  name: string,
  hostname: string,
  options: Options,
): Promise<void> {
  const { endpoint } = await serve({
    ...options,
    listen: `tcp://${hostname}:0`,
    wire,
    handler: {
      open(peer) {
        console.log(`opened ${name}`);
        // Noticed when the end begins; it may take as long as `lingerMs` until the connection is closed.
        peer.signal.addEventListener("abort", () => {
          const { cause, reason } = peer.ending!;
          const why = JSON.stringify({ cause, reason });
          console.log(`ended ${name} ${Date.now()} ${why}`);
        });
        // Data that nobody acknowledges is what a user timeout is about.
        if (name === "userTimeout") setInterval(() => peer.send("?"), 100);
        return name;
      },
      message() {},
    },
  });
  console.log(`listening ${endpoint}`);
}

if (role === "watch") {
  const [hostname = ""] = args;
  const { idleMs, keepAlive, userTimeoutMs } = DEAD_PEER;
  await watch("idle", hostname, { limits: { idleMs } });
  await watch("keepAlive", hostname, {
    socket: { ...keepAlive, strict: true },
  });
  await watch("userTimeout", hostname, {
    socket: { userTimeoutMs, strict: true },
  });
  await watch("nothing", hostname, {});
} else {
  for (const [at, to] of args.entries()) {
    const client = await connect({ to, wire, message() {} });
    // The first endpoint expects a heartbeat.
    if (at === 0) setInterval(() => client.send("alive"), 50);
  }
  console.log("listening to all");
}
