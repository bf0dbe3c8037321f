import type {
  TransportConnectOptions,
  TransportListenOptions,
} from "../../src/io/transport.ts";
import {
  CLIENT_TLS,
  MUTUAL_CLIENT_TLS,
  MUTUAL_SERVER_TLS,
  NODE_CLIENT_TLS,
  NODE_SERVER_TLS,
  SERVER_TLS,
} from "./tls.ts";

/** A way from a client to a server. */
export interface Road {
  /** For the names of the tests. */
  name: string;
  /** An endpoint that is free. */
  listen(): string;
  /** What listening needs. */
  listenOptions?: TransportListenOptions;
  /** What connecting needs. */
  connectOptions?: TransportConnectOptions;
  /** Bytes by which a client's frames are longer than a server's. @default {0} */
  clientFrameBytes?: number;
}

let count = 0;
const folder = Deno.makeTempDirSync({ prefix: "portolan-" });
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(folder, { recursive: true }),
);

/** Every road that there is, by each of its engines. */
export const ROADS: readonly Road[] = [
  { name: "tcp", listen: () => "tcp://127.0.0.1:0" },
  { name: "tcp over IPv6", listen: () => "tcp://[::1]:0" },
  { name: "unix", listen: () => `unix:${folder}/${++count}.sock` },
  { name: "memory", listen: () => `memory:road ${++count}` },
  {
    name: "tls",
    listen: () => "tls://127.0.0.1:0",
    listenOptions: SERVER_TLS,
    connectOptions: CLIENT_TLS,
  },
  {
    name: "tls by node",
    listen: () => "tls://127.0.0.1:0",
    listenOptions: NODE_SERVER_TLS,
    connectOptions: NODE_CLIENT_TLS,
  },
  {
    name: "tls by node to native clients",
    listen: () => "tls://127.0.0.1:0",
    listenOptions: NODE_SERVER_TLS,
    connectOptions: CLIENT_TLS,
  },
  {
    name: "tls with client certificates",
    listen: () => "tls://127.0.0.1:0",
    listenOptions: MUTUAL_SERVER_TLS,
    connectOptions: MUTUAL_CLIENT_TLS,
  },
  {
    name: "tls with client certificates of native clients",
    listen: () => "tls://127.0.0.1:0",
    listenOptions: MUTUAL_SERVER_TLS,
    connectOptions: { tls: { ...MUTUAL_CLIENT_TLS.tls, engine: "native" } },
  },
  { name: "ws", listen: () => "ws://127.0.0.1:0", clientFrameBytes: 4 },
  {
    name: "wss",
    listen: () => "wss://127.0.0.1:0/chart",
    listenOptions: SERVER_TLS,
    connectOptions: CLIENT_TLS,
    clientFrameBytes: 4,
  },
  {
    name: "wss by node, with client certificates",
    listen: () => "wss://127.0.0.1:0/chart",
    listenOptions: MUTUAL_SERVER_TLS,
    connectOptions: MUTUAL_CLIENT_TLS,
    clientFrameBytes: 4,
  },
  {
    name: "quic",
    listen: () => "quic://127.0.0.1:0",
    listenOptions: SERVER_TLS,
    connectOptions: CLIENT_TLS,
  },
];
