import { CLIENT_TLS, SERVER_TLS } from "../support/tls.ts";
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
