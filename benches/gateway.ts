/**
 * What a gateway costs: bytes through it to a service and back, beside a
 * WebSocket endpoint that answers by itself.
 *
 * @module
 */

import {
  cProgram,
  LOAD_CORE,
  output,
  Running,
  SERVER_CORE,
} from "./process.ts";
import { type Server, start } from "./servers.ts";
import type { Load, Options, Sample, Suite } from "./suite.ts";

const HERE = new URL(".", import.meta.url).pathname;
const CONNECTIONS = 8;
const WINDOW = 16;
const BLOCK_BYTES = 16 * 1024;

function deno(file: string, ...args: string[]): string[] {
  const flags = ["--allow-net=127.0.0.1", "--no-check"];
  return [Deno.execPath(), "run", ...flags, HERE + file, ...args];
}

const shared = {
  speaks: "raw",
  ready: /listening ws:\/\/127\.0\.0\.1:(\d+)/,
} as const;

const ENDPOINT: Server = {
  ...shared,
  name: "endpoint",
  title: "a WebSocket endpoint",
  command: () => deno("servers/web_socket_echo.ts", "0"),
};

/** The gateway before the service at `port`. */
const gatewayTo = (port: string): Server => ({
  ...shared,
  name: "gateway",
  title: "the gateway",
  ours: true,
  command: () => deno("servers/gateway.ts", "0", port),
});

const BYTES: Load = {
  name: "bytes",
  title:
    `${CONNECTIONS} connections, ${WINDOW} blocks of 16 KiB in flight each`,
  metric: "perSecond",
  unit: "bytes/s",
};

async function* measure(
  _servers: readonly Server[],
  { rounds, seconds }: Options,
): AsyncIterable<Sample> {
  for (let round = 0; round < rounds; round++) {
    // The service is nobody's figure: it runs beside the load, and costs it.
    await using service = new Running(LOAD_CORE, [await cProgram("echo"), "0"]);
    const [, port] = await service.until(
      /listening tcp:\/\/127\.0\.0\.1:(\d+)/,
    );
    for (const server of [ENDPOINT, gatewayTo(port!)]) {
      await using started = await start(server, SERVER_CORE);
      const sizes = [CONNECTIONS, BLOCK_BYTES, WINDOW, seconds].map(String);
      const line = await output(
        LOAD_CORE,
        deno("clients/web_socket_bytes.ts", String(started.port), ...sizes),
      );
      const values = JSON.parse(line);
      yield { server: server.name, round, load: BYTES.name, values };
    }
  }
}

/** Bytes through a gateway and back. */
export const throughGateway: Suite = {
  name: "gateway",
  title: "Bytes through a gateway to a service and back",
  servers: [ENDPOINT, gatewayTo("0")],
  loads: [BYTES],
  bars: [{
    load: BYTES.name,
    server: "gateway",
    peer: "endpoint",
    atLeast: 0.6,
  }],
  measure,
};
