import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { NamedBackends, whoAnswers } from "../support/named_backends.ts";
import { Program, run, task } from "../support/program.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { utf8 } from "../support/three_ways.ts";
import { waitUntil, within } from "../support/wait.ts";

Deno.test("deno task balance takes its configuration from a file, reads it again, is changed while it runs, and replays", async () => {
  await using folder = await temporaryFolder();
  using backends = new NamedBackends(3);
  const [a, b, c] = backends.urls as [string, string, string];
  const path = (name: string) => `${folder.path}/${name}`;
  const write = (to: unknown[]) =>
    Deno.writeTextFile(
      path("balance.json"),
      JSON.stringify({ listen: ["tcp://127.0.0.1:0"], to }),
    );
  await write([a, b]);
  const at = `--control=unix:${path("control.sock")}`;
  await using program = await Program.serve(task(
    "balance",
    `--config=${path("balance.json")}`,
    `--trace=${path("trace.jsonl")}`,
    "--metrics=tcp://127.0.0.1:0",
    at,
  ));
  const front = { hostname: "127.0.0.1", port: program.port };
  const who = async () => {
    const { conn, index } = await whoAnswers(front);
    conn.close();
    return index;
  };
  assertEquals([await who(), await who(), await who()], [0, 1, 0]);

  await write([b, { to: c, weight: 2 }]);
  const { conn, index } = await whoAnswers(front);
  assertEquals(index, 1);
  program.kill("SIGHUP");
  await program.prints("reloaded");
  assertEquals(
    new Set([await who(), await who(), await who()]),
    new Set([1, 2]),
  );
  conn.close();

  await Deno.writeTextFile(path("balance.json"), '{\n "listem": []}');
  program.kill("SIGHUP");
  await program.until("the fault", () => program.errors.includes("line 2"));
  assertStringIncludes(program.errors, 'column 2: unknown key "listem"');

  const drained = await run(task("balance", "drain", c, at));
  assertEquals(drained.code, 0, drained.stderr);
  assertStringIncludes(drained.stdout, "draining");
  assertEquals([await who(), await who()], [1, 1]);
  const added = await run(
    task("balance", "add", a, `--weight=${a}=7`, "--json", at),
  );
  const [first, second, third] = JSON.parse(added.stdout).backends;
  assertEquals([first.name, second.name, third.name], [b, c, a]);
  assertEquals(third.weight, 7);
  const wrong = await run(task("balance", "drain", "tcp://127.0.0.1:9", at));
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.stderr, "Cannot find a backend");

  const page = /^metrics (\S+)$/m.exec(program.output)![1]!;
  const metrics = await (await fetch(page)).text();
  assertStringIncludes(
    metrics,
    `portolan_balance_backend_up{backend="${c}"} 0\n`,
  );
  const state = await (await fetch(new URL("state", page))).json();
  assertEquals(state.backends.length, 3);
  const html = await (await fetch(new URL("/", page))).text();
  assertStringIncludes(html, "Who gets what");

  assertEquals(await program.stop(), 0);
  await waitUntil("its lines", () => program.output.includes("(round robin)"));
  const replayed = await run(task("balance", "replay", path("trace.jsonl")));
  assertEquals(replayed.code, 0, replayed.stderr);
  assertStringIncludes(replayed.stdout, "picks are the same");
});

Deno.test("deno task balance says what is wrong with its command line", async () => {
  for (
    const [args, code, words] of [
      [["tcp://127.0.0.1:0"], 2, "LISTEN and TO"],
      [["tcp://127.0.0.1:0", "nowhere"], 2, "Cannot parse endpoint"],
      [["tcp://127.0.0.1:0", "tcp://a:1", "--policy=best"], 2, "maglev"],
      [["tcp://127.0.0.1:0", "tcp://a:1", "--check=ftp"], 2, "http:/PATH"],
      [
        ["tcp://127.0.0.1:0", "tcp://a:1", "--weight=tcp://b:1=2"],
        2,
        "no backend tcp://b:1",
      ],
      [["--config=/tmp/no such file"], 1, "Cannot read /tmp/no such file"],
      [["list", "--control=unix:/tmp/no such socket"], 1, "Cannot connect"],
      [["weight", "tcp://a:1"], 2, "ENDPOINT and N"],
    ] as const
  ) {
    const { code: ended, stderr } = await run(task("balance", ...args));
    assertStringIncludes(stderr, words);
    assertEquals(ended, code, stderr);
    assert(!stderr.includes("    at "), stderr);
  }
});

Deno.test("deno task balance takes datagrams, too", async () => {
  const address = { transport: "udp", hostname: "127.0.0.1", port: 0 } as const;
  const backends = [Deno.listenDatagram(address), Deno.listenDatagram(address)];
  for (const [index, socket] of backends.entries()) {
    void (async () => {
      for await (const [, from] of socket) {
        await socket.send(Uint8Array.of(index), from);
      }
    })();
  }
  const [a, b] = backends.map(({ addr }) =>
    `udp://127.0.0.1:${(addr as Deno.NetAddr).port}`
  );
  await using folder = await temporaryFolder();
  await using program = await Program.serve(task(
    "balance",
    "udp://127.0.0.1:0",
    a!,
    b!,
    `--control=unix:${folder.path}/control.sock`,
  ));
  const picks: number[] = [];
  for (let n = 0; n < 3; n++) {
    const client = Deno.listenDatagram(address);
    await client.send(utf8("ahoy"), { ...address, port: program.port });
    const [answer] = await within("an answer", client.receive());
    picks.push(answer[0]!);
    client.close();
  }
  assertEquals(picks, [0, 1, 0]);
  const reload = ["balance", "reload", "--control"] as const;
  const { stderr } = await run(
    task(...reload, `unix:${folder.path}/control.sock`),
  );
  assertStringIncludes(stderr, "it runs without --config");
  assertEquals(await program.stop(), 0);
  assertStringIncludes(program.output, `-> ${b} in 4 B out 1 B`);
  for (const socket of backends) socket.close();
});
