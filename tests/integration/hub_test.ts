import {
  CLIENT_TLS,
  MUTUAL_CLIENT_TLS,
  MUTUAL_SERVER_TLS,
  NODE_CLIENT_TLS,
  NODE_SERVER_TLS,
  SERVER_TLS,
} from "../support/tls.ts";
import { hubSuite } from "./hub_suite.ts";

let count = 0;
const folder = Deno.makeTempDirSync({ prefix: "portolan-" });
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(folder, { recursive: true }),
);

hubSuite({ name: "tcp", listen: () => "tcp://127.0.0.1:0" });
hubSuite({ name: "tcp over IPv6", listen: () => "tcp://[::1]:0" });
hubSuite({ name: "unix", listen: () => `unix:${folder}/${++count}.sock` });
hubSuite({ name: "memory", listen: () => `memory:hub suite ${++count}` });
hubSuite({ name: "ws", listen: () => "ws://127.0.0.1:0" });
hubSuite({
  name: "wss",
  listen: () => "wss://127.0.0.1:0",
  listenOptions: SERVER_TLS,
  connectOptions: CLIENT_TLS,
});
hubSuite({
  name: "tls",
  listen: () => "tls://127.0.0.1:0",
  listenOptions: SERVER_TLS,
  connectOptions: CLIENT_TLS,
});
hubSuite({
  name: "tls by node",
  listen: () => "tls://127.0.0.1:0",
  listenOptions: NODE_SERVER_TLS,
  connectOptions: NODE_CLIENT_TLS,
});
hubSuite({
  name: "tls with client certificates",
  listen: () => "tls://127.0.0.1:0",
  listenOptions: MUTUAL_SERVER_TLS,
  connectOptions: MUTUAL_CLIENT_TLS,
});
hubSuite({
  name: "quic",
  listen: () => "quic://127.0.0.1:0",
  listenOptions: SERVER_TLS,
  connectOptions: CLIENT_TLS,
});
