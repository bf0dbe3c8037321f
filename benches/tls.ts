/**
 * TLS through `serve()`: by the runtime's engine, by `node:tls`, and with the
 * certificates of clients, beside the least code that does the same.
 *
 * @module
 */

import {
  AbsentError,
  goProgram,
  LOAD_CORE,
  output,
  script,
} from "./process.ts";
import type { Server } from "./servers.ts";
import { inTurns, type ServerLoad, type Suite } from "./suite.ts";

const FOLDER = new URL("../tests/testdata/tls/", import.meta.url).pathname;
const BUILD = new URL("../.portolan/bench/", import.meta.url).pathname;
const CERT = `${FOLDER}cert.pem`;
const KEY = `${FOLDER}key.pem`;
const CA = `${FOLDER}ca.pem`;
const LISTENING = /listening tls:\/\/127\.0\.0\.1:(\d+)/;

/** A file of this folder, run by the same Deno. */
function deno(path: string, ...args: string[]): string[] {
  const file = new URL(path, import.meta.url).pathname;
  const flags = [
    "--unstable-net",
    "--allow-net=127.0.0.1",
    `--allow-read=${FOLDER}`,
    "--no-check",
  ];
  return [Deno.execPath(), "run", ...flags, file, ...args];
}

function serveBy(name: string, title: string, engine: string): Server {
  return {
    name,
    title,
    speaks: "raw",
    ours: true,
    ready: LISTENING,
    command: () => deno("./servers/tls_echo.ts", CERT, KEY, engine, CA),
  };
}

const NODE_TLS = "./peers/tls.mjs";
const PLAIN: Server[] = [
  serveBy("serve", "serve(), native engine", "native"),
  serveBy("serve by node:tls", "serve(), engine node", "node"),
  {
    name: "floor",
    title: "bare Deno.listenTls loop",
    speaks: "raw",
    command: () => deno("./peers/floor.ts", "0", "raw", CERT, KEY),
  },
  {
    name: "floor by node:tls",
    title: "bare node:tls loop on Deno",
    speaks: "raw",
    command: () => deno(NODE_TLS, CERT, KEY),
  },
  {
    name: "node",
    title: "bare node:tls loop on Node",
    speaks: "raw",
    command: async () => [...await script("node", "tls.mjs"), CERT, KEY],
  },
];
const NGINX: Server = {
  name: "nginx",
  title: "nginx, one worker",
  speaks: "raw",
  ready: /listening tcp:\/\/127\.0\.0\.1:(\d+)/,
  command: nginx,
};
const MUTUAL: Server[] = [
  serveBy("serve", "serve(), client certificates", "mutual"),
  {
    name: "floor by node:tls",
    title: "bare node:tls loop on Deno",
    speaks: "raw",
    command: () => deno(NODE_TLS, CERT, KEY, CA),
  },
  {
    name: "node",
    title: "bare node:tls loop on Node",
    speaks: "raw",
    command: async () => [...await script("node", "tls.mjs"), CERT, KEY, CA],
  },
];

async function nginx(): Promise<string[]> {
  try {
    await output(LOAD_CORE, ["nginx", "-v"]);
  } catch (cause) {
    throw new AbsentError("nginx is not installed", { cause });
  }
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const config = `${BUILD}nginx.conf`;
  await Deno.mkdir(BUILD, { recursive: true });
  await Deno.writeTextFile(
    config,
    `daemon off; worker_processes 1; pid ${BUILD}nginx.pid; error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${CERT}; ssl_certificate_key ${KEY};
    ssl_session_cache off; ssl_session_tickets off;
    location / { return 200 ok; }
  }
}
`,
  );
  const run = `echo listening tcp://127.0.0.1:${port}; exec nginx -c ${config}`;
  return ["sh", "-c", run];
}

async function load(
  args: (string | number)[],
): Promise<Record<string, number>> {
  const program = await goProgram("tls_load");
  const command = ["env", "GOMAXPROCS=1", program, ...args.map(String)];
  return JSON.parse(await output(LOAD_CORE, command));
}

function echo(
  name: string,
  window: number,
  size: number,
  own: string[],
): ServerLoad {
  return {
    name,
    title: `${size} bytes, 50 connections, ${window} in flight each`,
    metric: "perSecond",
    unit: "messages/s",
    run: (_server, { port }, { seconds }) =>
      load(["echo", `127.0.0.1:${port}`, 50, window, size, seconds, ...own]),
  };
}

function handshakes(own: string[]): ServerLoad {
  return {
    name: "handshakes",
    title: "connect, shake hands, one echo, close; 16 at once",
    metric: "perSecond",
    unit: "connections/s",
    run: ({ name }, { port }, { seconds }) => {
      const speaks = name === "nginx" ? "http" : "echo";
      const address = `127.0.0.1:${port}`;
      return load(["handshakes", address, 16, speaks, seconds, ...own]);
    },
  };
}

function firstReply(own: string[]): ServerLoad {
  return {
    name: "first reply",
    title: "dial to first answer with our client, one after the other",
    metric: "p50Ms",
    unit: "ms",
    better: "less",
    run: async (_server, { port }) => {
      const path = "./clients/tls_first_reply.ts";
      const to = `tls://127.0.0.1:${port}`;
      return JSON.parse(
        await output(LOAD_CORE, deno(path, to, "200", CA, ...own)),
      );
    },
  };
}

const ECHO_LOADS = [
  echo("64B x 1", 1, 64, []),
  echo("64B", 64, 64, []),
  echo("4KiB", 16, 4096, []),
];
const OWN = [`${FOLDER}client.pem`, KEY];

/** TLS by each engine. */
export const tls: Suite = {
  name: "tls",
  title: "TLS through serve()",
  servers: [...PLAIN, NGINX],
  loads: [...ECHO_LOADS, handshakes([]), firstReply([])],
  bars: [
    ...["64B x 1", "64B", "4KiB"].flatMap((load) => [
      { load, server: "serve", peer: "floor", atLeast: 0.85 },
      { load, server: "serve", peer: "node", atLeast: 1 },
      {
        load,
        server: "serve by node:tls",
        peer: "floor by node:tls",
        atLeast: 0.85,
      },
    ]),
    { load: "first reply", server: "serve", atMost: 5 },
  ],
  async *measure(servers, options) {
    const echoing = servers.filter(({ name }) => name !== "nginx");
    yield* inTurns(echoing, [...ECHO_LOADS, firstReply([])], options);
    yield* inTurns(servers, [handshakes([])], options);
  },
};

const MUTUAL_LOADS = [
  echo("64B x 1", 1, 64, OWN),
  echo("64B", 64, 64, OWN),
  echo("4KiB", 16, 4096, OWN),
  handshakes(OWN),
  firstReply(OWN),
];

/** TLS with certificates of clients. */
export const mutualTls: Suite = {
  name: "mutual_tls",
  title: "TLS with client certificates through serve()",
  servers: MUTUAL,
  loads: MUTUAL_LOADS,
  bars: [
    ...["64B x 1", "64B", "4KiB"].map((load) => ({
      load,
      server: "serve",
      peer: "floor by node:tls",
      atLeast: 0.85,
    })),
    { load: "first reply", server: "serve", atMost: 5 },
  ],
  measure: (servers, options) => inTurns(servers, MUTUAL_LOADS, options),
};
