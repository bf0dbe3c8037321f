import { assertEquals } from "@std/assert";
import type { ProxyRequest } from "../../src/proxy/events.ts";
import { balance } from "../../src/proxy/balance/balancer.ts";
import { isInstalled } from "../support/installed.ts";
import { NamedBackends, whoAnswers } from "../support/named_backends.ts";
import { Nginx } from "../support/nginx.ts";
import { RawClient } from "../support/raw_client.ts";
import { utf8 } from "../support/three_ways.ts";
import { waitUntil } from "../support/wait.ts";

const noNginx = !await isInstalled("nginx", "-v");

async function whoAnswersEach(
  count: number,
  at: Deno.ConnectOptions | Deno.UnixConnectOptions,
): Promise<number[]> {
  const picks: number[] = [];
  for (let n = 0; n < count; n++) {
    const { conn, index } = await whoAnswers(at);
    picks.push(index);
    conn.close();
  }
  return picks;
}

Deno.test({
  name: "balance() by weighted chooses what nginx chooses",
  ignore: noNginx,
  async fn() {
    for (const weights of [[1, 1, 1], [5, 1, 1], [7, 3, 2, 1]]) {
      using backends = new NamedBackends(weights.length);
      await using nginx = await Nginx.start((folder) => ({
        stream: `
  upstream back {
${
          backends.ports.map((port, index) =>
            `    server 127.0.0.1:${port} weight=${weights[index]};`
          ).join("\n")
        }
  }
  server { listen unix:${folder}/front.sock; proxy_pass back; }
`,
      }));
      await using front = await balance({
        listen: "tcp://127.0.0.1:0",
        to: backends.urls.map((to, index) => ({ to, weight: weights[index]! })),
        policy: "weighted",
      });
      const path = `${nginx.folder}/front.sock`;
      const wanted = await whoAnswersEach(40, { transport: "unix", path });
      const { port } = new URL(front.endpoint);
      const at = { hostname: "127.0.0.1", port: Number(port) };
      assertEquals(await whoAnswersEach(40, at), wanted);
    }
  },
});

Deno.test({
  name: "nginx behind balance() takes PROXY headers, and its health checks",
  ignore: noNginx,
  async fn() {
    await using nginx = await Nginx.start((folder) => ({
      http: `
  server {
    listen unix:${folder}/front.sock proxy_protocol;
    location / { return 200 "$proxy_protocol_addr:$proxy_protocol_port"; }
  }
`,
    }));
    for (const version of [1, 2] as const) {
      await using front = await balance({
        listen: "tcp://127.0.0.1:0",
        to: [{
          to: `unix:${nginx.folder}/front.sock`,
          proxyProtocol: version,
        }],
        check: { type: "http" },
        health: { intervalMs: 10, fall: 1, rise: 1 },
      });
      using client = await RawClient.connect(front.endpoint);
      const { port } = client.conn.localAddr as Deno.NetAddr;
      await client.send(
        utf8("GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n"),
      );
      const answer = new TextDecoder().decode(await client.receiveAll());
      assertEquals(answer.split("\r\n\r\n")[1], `127.0.0.1:${port}`);
      assertEquals(front.backends[0]!.status, "up");
    }
  },
});

Deno.test({
  name: "nginx before balance() sends PROXY headers",
  ignore: noNginx,
  async fn() {
    using backends = new NamedBackends(1);
    const requests: ProxyRequest[] = [];
    await using front = await balance({
      listen: "tcp://127.0.0.1:0",
      to: backends.urls,
      trustedProxies: ["127.0.0.0/8"],
      observe: (event) => {
        if (event.type === "relayed") requests.push(event.access.request);
      },
    });
    const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = probe.addr;
    probe.close();
    await using _nginx = await Nginx.start((folder) => ({
      stream: `
  server {
    listen 127.0.0.1:${port};
    listen unix:${folder}/front.sock;
    proxy_pass ${new URL(front.endpoint).host};
    proxy_protocol on;
  }
`,
    }));
    const { conn } = await whoAnswers({ hostname: "127.0.0.1", port });
    const { port: source } = conn.localAddr as Deno.NetAddr;
    conn.close();
    await waitUntil("its end", () => requests.length === 1);
    const [request] = requests;
    assertEquals(request!.source, { hostname: "127.0.0.1", port: source });
    assertEquals(request!.header?.version, 1);
  },
});
