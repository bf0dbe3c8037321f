import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { HubClient } from "../support/hub_client.ts";
import { Program, run, task } from "../support/program.ts";
import { parsePrometheus } from "../support/prometheus.ts";
import { CLIENT_TLS } from "../support/tls.ts";
import { waitUntil, within } from "../support/wait.ts";

const HUB = task("hub", "--port", "0");

for (const name of ["hub", "start", "echo"]) {
  Deno.test(`${name} says where it listens, and ends with 0 on SIGTERM and SIGINT`, async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await using program = await Program.serve(task(name, "--port=0"));
      assertMatch(program.endpoints.join(), /^tcp:\/\/127\.0\.0\.1:\d+$/);
      assertGreater(program.port, 0);
      assertEquals(await program.stop(signal), 0, program.errors);
    }
  });

  Deno.test(`${name} refuses bad usage with 2 and one line`, async () => {
    const faults = [
      ["--prot=1"],
      ["--port=70000"],
      ["--listen=9999"],
      ["extra"],
    ];
    for (const fault of faults) {
      const { code, stdout, stderr } = await run(task(name, ...fault));
      assertEquals([code, stdout], [2, ""], stderr);
      assertMatch(stderr, /^(hub|echo): Cannot .+\n$/);
    }
  });

  Deno.test(`${name} ends with 1 and one line where it cannot listen`, async () => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    const { code, stdout, stderr } = await run(task(name, `--port=${port}`));
    assertEquals([code, stdout], [1, ""]);
    assertMatch(
      stderr,
      /^(hub|echo): Cannot listen on tcp:\/\/127\.0\.0\.1:\d+: address in use.*\n$/,
    );
  });

  Deno.test(`${name} removes its socket file when it ends`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "portolan-" });
    try {
      const path = `${folder}/${name}.sock`;
      const command = task(name, `--listen=unix:${path}`);
      await using program = await Program.serve(command);
      assertEquals(program.endpoints, [`unix:${path}`]);
      assert((await Deno.lstat(path)).isSocket);
      assertEquals(await program.stop(), 0);
      assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("start tells a newcomer what to type next", async () => {
  await using program = await Program.serve(task("start", "--port=0"));
  await program.until("the end", () => program.output.includes("Ctrl-C"));
  const { output, endpoints } = program;
  assertStringIncludes(output, `deno task connect ${endpoints[0]}\n`);
  const frame = /printf '([^']+)' \| nc -N 127\.0\.0\.1 (\d+)$/m.exec(output);
  assertEquals(Number(frame?.[2]), program.port);
  // The shell's printf turns the escapes into the bytes of the length.
  const bytes = frame![1]!.replace(
    /\\(\d+)/g,
    (_, octal) => String.fromCharCode(parseInt(octal, 8)),
  );
  using client = await HubClient.connect(endpoints[0]!);
  await client.raw.send(new TextEncoder().encode(bytes));
  assertEquals((await client.hear()).type, "pong");
});

Deno.test("hub prints lines of JSON for programs", async () => {
  const ready = Promise.withResolvers<unknown>();
  await using child = new Deno.Command(HUB[0]!, {
    args: [...HUB.slice(1), "--json", "--metrics=tcp://127.0.0.1:0"],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  const read = async () => {
    for await (
      const part of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      text += part;
      if (text.split("\n").length > 2) ready.resolve(text);
    }
  };
  const reading = read();
  await within("two lines", ready.promise, 60_000);
  child.kill("SIGTERM");
  await reading;
  const [first, second, ...rest] = text.trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  assertEquals(first.type, "listening");
  assertMatch(first.endpoint, /^tcp:/);
  assertEquals(second.type, "metrics");
  assertMatch(second.url, /^http:/);
  assertEquals(rest, []);
});

Deno.test("hub shows its metrics and its health over HTTP", async () => {
  await using hub = await Program.serve([
    ...HUB,
    "--metrics=tcp://127.0.0.1:0",
  ]);
  using client = await HubClient.connect(hub.endpoints[0]!);
  await client.ask({ type: "ping" });
  await hub.until("the page", () => /^metrics .*\n/m.test(hub.output));
  const url = /^metrics (.*)$/m.exec(hub.output)![1]!;
  const page = await fetch(url);
  assertStringIncludes(page.headers.get("content-type")!, "version=0.0.4");
  const families = parsePrometheus(await page.text());
  const value = (name: string) => families.get(name)?.samples[0]?.value;
  assertEquals(value("portolan_connections"), 1);
  assertEquals(value("portolan_messages_received_total"), 1);
  const health = await fetch(new URL("/health", url));
  assertEquals([health.status, await health.text()], [200, "listening\n"]);
  const other = await fetch(new URL("/", url));
  assertEquals(other.status, 404);
  await other.body?.cancel();
});

Deno.test("hub refuses to serve metrics where it cannot", async () => {
  const usage = await run([...HUB, "--metrics=unix:/tmp/metrics.sock"]);
  assertEquals(usage.code, 2, usage.stderr);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = `tcp://127.0.0.1:${taken.addr.port}`;
  const { code, stderr } = await run([...HUB, `--metrics=${endpoint}`]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `Cannot listen on ${endpoint}: address in use`);
});

Deno.test("hub serves TLS with the certificate that it is given", async () => {
  const listen = ["--listen=tls://127.0.0.1:0"];
  await using hub = await Program.serve(task(
    "hub",
    ...listen,
    "--cert=tests/testdata/tls/cert.pem",
    "--key=tests/testdata/tls/key.pem",
  ));
  using client = await HubClient.connect(hub.endpoints[0]!, CLIENT_TLS);
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
});

Deno.test("hub ends with 1 and one line when a file cannot be read", async () => {
  const { code, stderr } = await run(task(
    "hub",
    "--listen=tls://127.0.0.1:0",
    "--cert=tests/no_such.pem",
    "--key=tests/no_such.pem",
  ));
  assertEquals(code, 1);
  assertMatch(stderr, /^hub: Cannot read tests\/no_such\.pem: .+\n$/);
});

Deno.test("hub logs a flood that it refuses in a line or two", async () => {
  await using hub = await Program.serve([...HUB, "--max-connections=1"]);
  using client = await HubClient.connect(hub.endpoints[0]!);
  await client.ask({ type: "ping" });
  for (let n = 0; n < 200; n++) {
    using refused = await HubClient.connect(hub.endpoints[0]!);
    await refused.rest();
  }
  assertEquals(await hub.stop(), 0);
  const warnings = hub.errors.split("\n").filter((line) =>
    line.includes(" WARN hub: ")
  );
  assertEquals(warnings.length, 2, hub.errors);
  assertMatch(warnings[0]!, /Refused 127\.0\.0\.1:\d+ at .*: maxConnections$/);
  assertMatch(warnings[1]!, /refused by maxConnections: 199 more in \d+ s$/);
});

Deno.test("hub loses no answer to SIGTERM in the middle of full load", async () => {
  await using hub = await Program.serve(HUB);
  const answers: number[] = [];
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => HubClient.connect(hub.endpoints[0]!)),
  );
  const lives = clients.map((client, index) =>
    talk(client, (count) => {
      answers[index] = count;
    })
  );
  await waitUntil("load", () => answers.filter((n) => n > 100).length === 20);
  hub.kill("SIGTERM");
  await within("the end of all", Promise.all(lives), 30_000);
  assertEquals(await hub.ended(), 0, hub.errors);
  assertMatch(hub.errors, /Draining 20 connections/);
  assertMatch(hub.errors, /Stopped/);
});

Deno.test("hub loses no answer to SIGTERM though its clients send on and read slowly", async () => {
  await using hub = await Program.serve(HUB);
  const clients = await Promise.all(
    Array.from({ length: 10 }, () => HubClient.connect(hub.endpoints[0]!)),
  );
  const counts: number[] = [];
  const lives = clients.map(async (client, index) => {
    let asked = 0;
    let over = false;
    const ask = async () => {
      while (!over) {
        const batch = Array.from({ length: 16 }, () => asked++);
        await client.say(
          ...batch.map((content) => ({ type: "echo", content })),
        );
      }
    };
    const asking = ask().catch(() => {});
    for (let next = 0;; next++) {
      const { type, content } = await client.hear();
      if (type === "going_away") break;
      assertEquals([type, content], ["echo_response", next]);
      counts[index] = next;
    }
    over = true;
    assertEquals(await client.rest(), []);
    await asking;
    client[Symbol.dispose]();
  });
  await waitUntil("load", () => counts.filter((n) => n > 1000).length === 10);
  hub.kill("SIGTERM");
  await within("the end of all", Promise.all(lives), 30_000);
  assertEquals(await hub.ended(), 0, hub.errors);
});

/** Keeps 64 requests in flight until the hub says goodbye; fails unless each answer before that is the next in order. */
async function talk(
  client: HubClient,
  answered: (count: number) => void,
): Promise<void> {
  let asked = 0;
  const ask = (count: number) =>
    client.say(
      ...Array.from(
        { length: count },
        () => ({ type: "echo", content: asked++ }),
      ),
    );
  await ask(64);
  for (let next = 0;; next++) {
    const { type, content } = await client.hear();
    if (type === "going_away") break;
    assertEquals([type, content], ["echo_response", next]);
    answered(next);
    if (next % 32 === 0) await ask(32);
  }
  assertEquals(await client.rest(), []);
  client[Symbol.dispose]();
}
