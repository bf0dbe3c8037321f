/**
 * WebSocket echo, plain and compressed, and idle WebSocket connections.
 *
 * @module
 */

import { constants, deflateRawSync } from "node:zlib";
import {
  AbsentError,
  cProgram,
  LOAD_CORE,
  measure,
  output,
  SERVER_CORE,
} from "./process.ts";
import { type Server, start } from "./servers.ts";
import {
  inTurns,
  type Load,
  type Options,
  type Sample,
  type ServerLoad,
  type Suite,
} from "./suite.ts";

const HERE = new URL(".", import.meta.url).pathname;
const NODE_FOLDER = `${HERE}../.portolan/bench/ws`;
const IDLE_CONNECTIONS = 10_000;
const SETTLE_SECONDS = 3;

const shared = {
  speaks: "raw",
  ready: /listening ws:\/\/127\.0\.0\.1:(\d+)/,
} as const;

function deno(file: string, ...args: string[]): string[] {
  const flags = ["--allow-net=127.0.0.1", "--no-check"];
  return [Deno.execPath(), "run", ...flags, HERE + file, ...args];
}

const ours = (mode: "plain" | "deflate"): Server => ({
  ...shared,
  name: "serve",
  title: "serve(), callbacks",
  ours: true,
  command: () => deno("servers/web_socket_echo.ts", "0", mode),
});

const FLOOR: Server = {
  ...shared,
  name: "floor",
  title: "bare Deno loop",
  command: () => deno("peers/floor_web_socket.ts", "0"),
};

const node = (mode: "plain" | "deflate"): Server => ({
  ...shared,
  name: "node",
  title: "Node ws",
  async command() {
    const copy = `${NODE_FOLDER}/web_socket.mjs`;
    await Deno.mkdir(NODE_FOLDER, { recursive: true });
    await Deno.copyFile(`${HERE}peers/web_socket.mjs`, copy);
    try {
      const npm = ["npm", "install", "--silent", "--prefix", NODE_FOLDER];
      await output(LOAD_CORE, [...npm, "ws@8.21.0"]);
    } catch (cause) {
      throw new AbsentError("Node with ws is not installed", { cause });
    }
    return ["node", copy, "0", mode];
  },
});

/** A masked binary frame with `payload`, in hexadecimal. */
function frame(payload: Uint8Array, first = 0x82): string {
  const { length } = payload;
  const key = [0x12, 0x34, 0x56, 0x78];
  const size = length < 126 ? [length] : [126, length >> 8, length & 255];
  const masked = payload.map((byte, at) => byte ^ key[at & 3]!);
  return Uint8Array.of(
    first,
    0x80 | size[0]!,
    ...size.slice(1),
    ...key,
    ...masked,
  )
    .toHex();
}

function deflated(payload: Uint8Array): Uint8Array {
  const { Z_SYNC_FLUSH: finishFlush } = constants;
  return new Uint8Array(deflateRawSync(payload, { finishFlush }).slice(0, -4));
}

const JSON_2K = new TextEncoder().encode(
  JSON.stringify(
    Array.from({ length: 40 }, (_, id) => ({
      id: id * 7919 % 1000,
      name: `watch ${id}`,
      note: "all is well",
    })),
  ).slice(0, 2048),
);

function echo(window: number, mode: "plain" | "deflate"): ServerLoad {
  const hex = mode === "plain"
    ? frame(new Uint8Array(64).fill(0x78))
    : frame(deflated(JSON_2K), 0xc2);
  return {
    name: `50x${window}`,
    title: `50 connections, ${window} in flight each`,
    metric: "perSecond",
    unit: "messages/s",
    run: (_server, { port }, { seconds }) =>
      measure("web_socket", "127.0.0.1", port, 50, window, hex, seconds, mode),
  };
}

const PLAIN = [echo(1, "plain"), echo(16, "plain"), echo(64, "plain")];
const DEFLATED = [echo(1, "deflate"), echo(16, "deflate")];

/** WebSocket echo of 64 bytes. */
export const webSocket: Suite = {
  name: "web_socket",
  title: "WebSocket echo of 64 bytes",
  servers: [ours("plain"), FLOOR, node("plain")],
  loads: PLAIN,
  bars: [
    { load: "50x1", server: "serve", peer: "node", atLeast: 1.2 },
    { load: "50x16", server: "serve", peer: "node", atLeast: 5 },
    { load: "50x64", server: "serve", peer: "node", atLeast: 5 },
    { load: "50x1", server: "serve", peer: "floor", atLeast: 0.7 },
    { load: "50x16", server: "serve", peer: "floor", atLeast: 0.7 },
    { load: "50x64", server: "serve", peer: "floor", atLeast: 0.7 },
  ],
  measure: (servers, options) => inTurns(servers, PLAIN, options),
};

/** The same compressed, each message by itself on both sides. */
export const webSocketDeflate: Suite = {
  name: "web_socket_deflate",
  title: "WebSocket echo of 2 KiB of JSON with permessage-deflate",
  servers: [ours("deflate"), node("deflate")],
  loads: DEFLATED,
  bars: [{ load: "50x1", server: "serve", peer: "node", atLeast: 1 }],
  measure: (servers, options) => inTurns(servers, DEFLATED, options),
};

const MEMORY: Load = {
  name: "memory",
  title: `${IDLE_CONNECTIONS} idle connections: memory each`,
  metric: "bytesEach",
  unit: "bytes",
  better: "less",
};

async function* measureIdle(
  servers: readonly Server[],
  { rounds }: Options,
): AsyncIterable<Sample> {
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      await using started = await start(server, SERVER_CORE);
      const line = await output(LOAD_CORE, [
        await cProgram("web_socket"),
        "127.0.0.1",
        String(started.port),
        String(IDLE_CONNECTIONS),
        "idle",
        String(started.process.pid),
        String(SETTLE_SECONDS),
      ]);
      const values = JSON.parse(line);
      yield { server: server.name, round, load: MEMORY.name, values };
    }
  }
}

/** WebSocket connections that say nothing. */
export const webSocketIdle: Suite = {
  name: "web_socket_idle",
  title: "Idle WebSocket connections through serve()",
  servers: [ours("plain"), node("plain")],
  loads: [MEMORY],
  bars: [
    { load: MEMORY.name, server: "serve", atMost: 10_240 },
    { load: MEMORY.name, server: "serve", metric: "closed", atMost: 0 },
  ],
  measure: measureIdle,
};
