import {
  CLIENT_TLS,
  MUTUAL_CLIENT_TLS,
  MUTUAL_SERVER_TLS,
  NODE_CLIENT_TLS,
  NODE_SERVER_TLS,
  SERVER_TLS,
} from "../support/tls.ts";
import { transportSuite } from "./transport_suite.ts";

let count = 0;
const folder = Deno.makeTempDirSync({ prefix: "portolan-" });
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(folder, { recursive: true }),
);

transportSuite({ name: "tcp", listen: () => "tcp://127.0.0.1:0" });
transportSuite({
  name: "tls",
  listen: () => "tls://127.0.0.1:0",
  listenOptions: SERVER_TLS,
  connectOptions: CLIENT_TLS,
});
transportSuite({
  name: "tls by node",
  listen: () => "tls://127.0.0.1:0",
  listenOptions: NODE_SERVER_TLS,
  connectOptions: NODE_CLIENT_TLS,
});
transportSuite({
  name: "tls by node to native clients",
  listen: () => "tls://127.0.0.1:0",
  listenOptions: NODE_SERVER_TLS,
  connectOptions: CLIENT_TLS,
});
transportSuite({
  name: "tls with client certificates",
  listen: () => "tls://127.0.0.1:0",
  listenOptions: MUTUAL_SERVER_TLS,
  connectOptions: MUTUAL_CLIENT_TLS,
});
transportSuite({
  name: "tls with client certificates of native clients",
  listen: () => "tls://127.0.0.1:0",
  listenOptions: MUTUAL_SERVER_TLS,
  connectOptions: { tls: { ...MUTUAL_CLIENT_TLS.tls, engine: "native" } },
});
transportSuite({
  name: "unix",
  listen: () => `unix:${folder}/${++count}.sock`,
});
transportSuite({
  name: "ws",
  listen: () => "ws://127.0.0.1:0/chart",
  clientFrameBytes: 4,
});
transportSuite({
  name: "wss",
  listen: () => "wss://127.0.0.1:0/chart",
  listenOptions: SERVER_TLS,
  connectOptions: CLIENT_TLS,
  clientFrameBytes: 4,
});
transportSuite({ name: "memory", listen: () => `memory:suite${++count}` });
transportSuite({
  name: "quic",
  listen: () => "quic://127.0.0.1:0",
  listenOptions: SERVER_TLS,
  connectOptions: CLIENT_TLS,
});
