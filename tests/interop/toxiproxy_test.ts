import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ICreateToxicBody,
  type Proxy,
  Toxiproxy,
} from "npm:toxiproxy-node-client@4.1.0";
import { serveToxiproxy } from "../../src/proxy/link/toxiproxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { utf8 } from "../support/three_ways.ts";
import { waitUntil, within } from "../support/wait.ts";

/** A server that sends everything back. */
class Echo implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns: Deno.Conn[] = [];

  constructor() {
    void (async () => {
      for await (const conn of this.#listener) {
        this.#conns.push(conn);
        conn.readable.pipeTo(conn.writable).catch(() => {});
      }
    })();
  }

  get address(): string {
    return `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch {
        // Closed by its end.
      }
    }
  }
}

type Setting = {
  echo: Echo;
  client: Toxiproxy;
  proxy: Proxy;
  connect(): Promise<RawClient>;
};

/** Registers a test with the client of toxiproxy, our server, and a proxy before an echo. */
function toxiproxyTest(
  name: string,
  check: (setting: Setting) => Promise<void>,
): void {
  Deno.test(`toxiproxy-node-client ${name}`, async () => {
    await using server = serveToxiproxy({ port: 0 });
    using echo = new Echo();
    const client = new Toxiproxy(server.url);
    const proxy = await client.createProxy({
      name: "echo",
      listen: "127.0.0.1:0",
      upstream: echo.address,
    });
    await check({
      echo,
      client,
      proxy,
      connect: () => RawClient.connect(`tcp://${proxy.listen}`),
    });
  });
}

function toxic<T>(
  type: ICreateToxicBody<T>["type"],
  attributes: T,
  stream: "upstream" | "downstream" = "downstream",
): ICreateToxicBody<T> {
  return { name: `${type}_test`, type, stream, toxicity: 1, attributes };
}

/** What a connection comes to: `reset`, or what was received before its end. */
async function outcome({ conn }: RawClient): Promise<string> {
  const buffer = new Uint8Array(1024);
  let text = "";
  try {
    for (;;) {
      const count = await within("the end", conn.read(buffer));
      if (count === null) return text;
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return "reset";
    throw error;
  }
}

toxiproxyTest(
  "creates, lists, populates, updates and removes proxies",
  async ({ client, proxy, echo, connect }) => {
    assert((await client.getVersion()).includes("version"));
    assert(/^127\.0\.0\.1:[1-9]\d*$/.test(proxy.listen));
    assertEquals(Object.keys(await client.getAll()), ["echo"]);
    assertEquals((await client.get("echo")).upstream, echo.address);
    await assertRejects(() => client.get("nobody"), Error, "404");
    await assertRejects(
      () => client.createProxy({ name: "echo", listen: ":0", upstream: "a:1" }),
      Error,
      "409",
    );
    await assertRejects(
      () => client.createProxy({ name: "x", listen: ":0", upstream: "" }),
      Error,
      "400",
    );
    const populated = await client.populate([
      { name: "echo", listen: proxy.listen, upstream: echo.address },
      { name: "off", listen: "127.0.0.1:0", upstream: "b:1", enabled: false },
    ]);
    assertEquals(Object.keys(populated), ["echo", "off"]);
    assertEquals(populated["off"]!.enabled, false);
    using alive = await connect();
    await alive.send(utf8("x"));
    assertEquals(await alive.receive(1), utf8("x"));
    await (await client.get("off")).remove();
    assertEquals(Object.keys(await client.getAll()), ["echo"]);
  },
);

toxiproxyTest("takes a proxy down and up again", async ({ proxy, connect }) => {
  using cut = await connect();
  await cut.send(utf8("x"));
  assertEquals(await cut.receive(1), utf8("x"));
  const { listen, upstream } = proxy;
  await proxy.update({ enabled: false, listen, upstream });
  assertEquals(await outcome(cut), "");
  await assertRejects(() => connect(), Error, "connection refused");
  await proxy.update({ enabled: true, listen, upstream });
  using again = await connect();
  await again.send(utf8("y"));
  assertEquals(await again.receive(1), utf8("y"));
});

toxiproxyTest(
  "adds latency, changes and removes it",
  async ({ proxy, connect }) => {
    using through = await connect();
    const roundTripMs = async () => {
      const startMs = performance.now();
      await through.send(utf8("x"));
      await through.receive(1);
      return performance.now() - startMs;
    };
    await roundTripMs();
    const body = toxic("latency", { latency: 100, jitter: 10 });
    const latency = await proxy.addToxic(body);
    assertEquals(latency.toJson(), body);
    assert(await roundTripMs() >= 90);
    await assertRejects(() => proxy.addToxic(body), Error, "409");
    const changed = await latency.update({
      ...body,
      attributes: { latency: 300, jitter: 0 },
    });
    assertEquals(changed.attributes, { latency: 300, jitter: 0 });
    assert(await roundTripMs() >= 300);
    assertEquals((await proxy.getToxic(body.name)).attributes, {
      latency: 300,
      jitter: 0,
    });
    await latency.remove();
    assert(await roundTripMs() < 300);
    await assertRejects(() => proxy.getToxic(body.name), Error, "404");
  },
);

toxiproxyTest("limits the bandwidth", async ({ proxy, connect }) => {
  await proxy.addToxic(toxic("bandwidth", { rate: 100 }, "upstream"));
  using through = await connect();
  const startMs = performance.now();
  await through.send(new Uint8Array(30_000));
  await through.receive(30_000);
  assert(performance.now() - startMs >= 280);
});

toxiproxyTest("closes slowly", async ({ proxy, connect }) => {
  await proxy.addToxic(toxic("slow_close", { delay: 150 }));
  using through = await connect();
  const startMs = performance.now();
  await through.closeWrite();
  assertEquals(await outcome(through), "");
  assert(performance.now() - startMs >= 150);
});

toxiproxyTest(
  "times out, and closes what it swallowed when the toxic goes",
  async ({ proxy, connect }) => {
    const { name } = toxic("timeout", {});
    const timeout = await proxy.addToxic(toxic("timeout", { timeout: 100 }));
    using through = await connect();
    await through.send(utf8("x"));
    assertEquals(await outcome(through), "");
    await timeout.update(toxic("timeout", { timeout: 0 }));
    using waiting = await connect();
    await waiting.send(utf8("x"));
    await (await proxy.getToxic(name)).remove();
    assertEquals(await outcome(waiting), "");
  },
);

toxiproxyTest("resets", async ({ proxy, connect }) => {
  using through = await connect();
  await through.send(utf8("x"));
  assertEquals(await through.receive(1), utf8("x"));
  const ended = outcome(through);
  await proxy.addToxic(toxic("reset_peer", { timeout: 20 }));
  assertEquals(await ended, "reset");
});

toxiproxyTest("slices", async ({ proxy, connect }) => {
  await proxy.addToxic(
    toxic("slicer", { average_size: 10, size_variation: 3, delay: 2000 }),
  );
  using through = await connect();
  const block = Uint8Array.from({ length: 200 }, (_, at) => at);
  await through.send(block);
  const buffer = new Uint8Array(200);
  const first = await through.conn.read(buffer);
  assert(first !== null && first < 200);
  const rest = await through.receive(200 - first);
  assertEquals([...buffer.subarray(0, first), ...rest], [...block]);
});

toxiproxyTest("limits the data", async ({ proxy, connect }) => {
  await proxy.addToxic(toxic("limit_data", { bytes: 5 }));
  using through = await connect();
  await through.send(utf8("too much"));
  assertEquals(await outcome(through), "too m");
});

toxiproxyTest(
  "applies a toxic to as many connections as its toxicity says",
  async ({ proxy, connect }) => {
    await proxy.addToxic({
      ...toxic("limit_data", { bytes: 1 }),
      toxicity: 0.5,
    });
    let whole = 0;
    for (let count = 0; count < 40; count++) {
      using through = await connect();
      await through.send(utf8("ab"));
      await through.closeWrite();
      if (await outcome(through) === "ab") whole++;
    }
    assert(whole > 8 && whole < 32, String(whole));
  },
);

toxiproxyTest("resets everything", async ({ client, proxy, connect }) => {
  const { listen, upstream } = proxy;
  await proxy.addToxic(toxic("limit_data", { bytes: 1 }));
  await proxy.update({ enabled: false, listen, upstream });
  await client.reset();
  const { enabled } = await client.get("echo");
  assertEquals(enabled, true);
  using through = await connect();
  await through.send(utf8("whole"));
  assertEquals(await through.receive(5), utf8("whole"));
});

Deno.test("serveToxiproxy() answers bad requests with toxiproxy's errors, and goes on", async () => {
  await using server = serveToxiproxy({ port: 0 });
  const ask = async (
    method: string,
    path: string,
    body?: string,
    headers: HeadersInit = {},
  ) => {
    const response = await fetch(server.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    return [response.status, (await response.json()).error];
  };
  const whole = '{"name":"a","listen":"127.0.0.1:0","upstream":"b:1"}';
  assertEquals((await ask("POST", "/proxies", whole))[0], 201);
  for (
    const [method, path, body, status] of [
      ["POST", "/proxies", "{", 400],
      ["POST", "/proxies", "[]", 400],
      ["POST", "/proxies", "null", 400],
      ["POST", "/proxies", whole.replace("127.0.0.1:0", "here"), 400],
      ["POST", "/proxies", whole.replace("b:1", "b:99999"), 400],
      ["POST", "/proxies", `"${"x".repeat(2 << 20)}"`, 413],
      ["POST", "/populate", "{}", 400],
      ["GET", "/nowhere", undefined, 404],
      ["GET", "/proxies/%", undefined, 400],
      ["DELETE", "/proxies", undefined, 405],
      ["POST", "/proxies/a/toxics", '{"type":"poison"}', 400],
      ["POST", "/proxies/a/toxics", '{"type":"__proto__"}', 400],
      ["POST", "/proxies/a/toxics", '{"type":"latency","stream":"x"}', 400],
      ["POST", "/proxies/a/toxics", '{"type":"latency","toxicity":2}', 400],
      [
        "POST",
        "/proxies/a/toxics",
        '{"type":"latency","attributes":{"latency":-1}}',
        400,
      ],
      ["DELETE", "/proxies/a/toxics/b", undefined, 404],
    ] as const
  ) {
    const [got, reason] = await ask(method, path, body);
    assertEquals([path, got], [path, status]);
    assert(typeof reason === "string" && reason !== "");
  }
  const browser = { "user-agent": "Mozilla/5.0" };
  assertEquals((await ask("GET", "/proxies", undefined, browser))[0], 403);
  await waitUntil("the server", () => server.url.startsWith("http"));
  assertEquals((await ask("GET", "/proxies/a"))[0], 200);
});
