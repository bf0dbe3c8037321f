// Chromium: a page that our port serves, and what it does with WebSockets. A TCP client is in the same room.
import { assertEquals } from "@std/assert";
import {
  type Ending,
  Group,
  json,
  lengthPrefixed,
  type Peer,
  serve,
} from "../../mod.ts";
import { browse, CHROMIUM } from "../support/browser.ts";
import { isInstalled } from "../support/installed.ts";
import { frame, RawClient } from "../support/raw_client.ts";
import { waitUntil } from "../support/wait.ts";

const ignore = !await isInstalled(CHROMIUM, "--version");

interface Said {
  said: unknown;
}

/** What the page does; it reports by talking in the room. */
const PAGE = (port: number) =>
  `<!doctype html><script type="module">
const opened = (ws) => new Promise((resolve) => {
  ws.onopen = () => resolve("open");
  ws.onerror = () => resolve("refused");
});
const foreign = opened(new WebSocket("ws://127.0.0.1:${port}/"));
const ws = new WebSocket("ws://" + location.host, ["chart"]);
const say = (said) => ws.send(JSON.stringify({ said }));
ws.onmessage = ({ data }) => {
  const { said } = JSON.parse(data);
  if (said === "how long?") say("x".repeat(300_000));
  if (said === "farewell") ws.close(4001, "as you wish");
};
await opened(ws);
say(["page", ws.protocol, ws.extensions, await foreign]);
</script>`;

Deno.test({
  name: "a page in Chromium shares a room with a TCP client",
  ignore,
  async fn() {
    const room = new Group<Said>();
    const said: unknown[] = [];
    const endings: Ending[] = [];
    const handler = {
      open: (peer: Peer<Said, Said>) => room.add(peer),
      message(_peer: Peer<Said, Said>, message: Said) {
        said.push(message.said);
        room.broadcast(message);
      },
      close: (_peer: Peer<Said, Said>, ending: Ending) =>
        void endings.push(ending),
    };
    const shared = { wire: lengthPrefixed(json<Said>()), handler };
    await using other = await serve({ ...shared, listen: "ws://127.0.0.1:0" });
    const page = PAGE(Number(new URL(other.endpoint).port));
    await using server = await serve({
      ...shared,
      listen: ["ws://127.0.0.1:0", "tcp://127.0.0.1:0"],
      webSocket: {
        compress: true,
        protocols: ["chart"],
        http: () =>
          new Response(page, { headers: { "content-type": "text/html" } }),
      },
    });
    const [ws, tcp] = server.endpoints as [string, string];
    using client = await RawClient.connect(tcp);
    await using _ = await browse(ws.replace("ws:", "http:"));
    const extensions =
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    await waitUntil("the page's report", () => said.length === 1, 60_000);
    assertEquals(said[0], ["page", "chart", extensions, "refused"]);
    const report = JSON.stringify({ said: said[0] });
    assertEquals(new TextDecoder().decode(await client.receiveFrame()), report);

    await client.send(frame('{"said":"how long?"}'));
    await waitUntil("its answer", () => said.length === 3);
    assertEquals(String(said[2]).length, 300_000);

    await client.send(frame('{"said":"farewell"}'));
    await waitUntil("its end", () => endings.length === 1);
    assertEquals(endings, [{
      cause: "peer closed",
      reason: "closed with 4001: as you wish",
    }]);
  },
});
