// A page in Chromium imports the gateway's client, and loses nothing while its connections are broken.
import { assertEquals, assertGreater } from "@std/assert";
import { bytes, gateway, raw, serve } from "../../mod.ts";
import { Breaker } from "../support/breaker.ts";
import { browse, CHROMIUM } from "../support/browser.ts";
import { isInstalled } from "../support/installed.ts";
import { within } from "../support/wait.ts";

const PAGE = (client: string, to: string) =>
  `<!doctype html><script type="module">
import { ResumableSocket } from "${client}";
let lost = 0;
const socket = new ResumableSocket("${to}", {
  reconnect: { minMs: 20, maxMs: 100 },
  connected: (isConnected) => { if (!isConnected) lost++; },
});
const numbers = Uint32Array.from({ length: 500_000 }, (_, n) => n);
const sent = new Uint8Array(numbers.buffer);
const writing = (async () => {
  for (let at = 0; at < sent.length; at += 8000) {
    if (!socket.write(sent.subarray(at, at + 8000))) await socket.drained();
  }
  socket.end();
})();
const parts = [];
let length = 0;
for await (const part of socket) {
  parts.push(part);
  length += part.length;
  // Slow enough to be interrupted.
  if (parts.length % 8 === 0) await fetch("/progress", { method: "POST", body: String(length) });
}
await writing;
const read = new Uint32Array(await new Blob(parts).arrayBuffer());
const wrong = read.findIndex((value, index) => value !== index);
const { isWhole } = await socket.closed;
await fetch("/report", { method: "POST", body: JSON.stringify({ length, wrong, lost, isWhole }) });
</script>`;

Deno.test({
  name:
    "a page in Chromium loses nothing when its connections to a gateway break",
  ignore: !await isInstalled(CHROMIUM, "--version"),
  async fn() {
    await using service = await serve({
      listen: "tcp://127.0.0.1:0",
      wire: raw(bytes()),
      handler: { message: (peer, data) => peer.send(data) || peer.drained() },
    });
    await using door = await gateway({
      listen: "ws://127.0.0.1:0",
      to: service.endpoint,
      webSocket: { origins: ["*"] },
    });
    using breaker = new Breaker(door.endpoint);
    const report = Promise.withResolvers<Record<string, unknown>>();
    let nextCut = 300_000;
    const client = `${
      door.endpoint.replace("ws:", "http:")
    }/portolan/client/resumable_socket.ts`;
    await using site = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen() {},
    }, async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/report") report.resolve(await request.json());
      else if (pathname === "/progress") {
        if (Number(await request.text()) > nextCut) {
          breaker.cut();
          nextCut += 300_000;
        }
      } else {
        return new Response(PAGE(client, breaker.url), {
          headers: { "content-type": "text/html" },
        });
      }
      return new Response();
    });
    const { port } = site.addr as Deno.NetAddr;
    await using _ = await browse(`http://127.0.0.1:${port}/`);
    const told = await within("the page's report", report.promise, 90_000);
    assertEquals([told["length"], told["wrong"], told["isWhole"]], [
      2_000_000,
      -1,
      true,
    ]);
    assertGreater(Number(told["lost"]), 0);
  },
});
