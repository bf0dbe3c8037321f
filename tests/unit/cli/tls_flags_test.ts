import { assertEquals, assertRejects } from "@std/assert";
import { Output } from "../../../src/cli/output.ts";
import { readServerTls, watchServerTls } from "../../../src/cli/tls_flags.ts";
import { UsageError } from "../../../src/cli/arguments.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { turns, waitUntil } from "../../support/wait.ts";

function quiet(): { output: Output; errors: string[] } {
  const errors: string[] = [];
  const output = new Output({
    write() {},
    writeError: (text: string) => errors.push(text),
  });
  return { output, errors };
}

const ENDPOINTS = ["tls://127.0.0.1:9443"];

Deno.test("readServerTls() refuses options that belong together one by one", async () => {
  const { output } = quiet();
  for (
    const values of [{ cert: "a" }, { key: "a" }, {
      cert: "a",
      key: "b",
      clientCrl: "c",
    }]
  ) {
    await assertRejects(
      () => readServerTls(values, ENDPOINTS, output),
      UsageError,
    );
  }
  await assertRejects(
    () => readServerTls({ cert: "/none", key: "/none" }, ENDPOINTS, output),
    Error,
    "Cannot read /none",
  );
  for (const values of [{ clientCa: "a" }, { clientCa: "a", clientCrl: "b" }]) {
    await assertRejects(
      () => readServerTls(values, ["tcp://[::]:1"], output),
      UsageError,
      "no endpoint speaks TLS",
    );
  }
  assertEquals(
    await readServerTls(
      { cert: "/none", key: "/none" },
      ["tcp://[::]:1"],
      output,
    ),
    undefined,
  );
});

Deno.test("watchServerTls() renews when the files say something else, and goes on after a fault", async () => {
  const { output, errors } = quiet();
  const clock = new VirtualClock();
  const stop = new AbortController();
  const renewed: string[] = [];
  let looks = 0;
  let cert: string | undefined = "one";
  const watching = watchServerTls(
    () => {
      looks++;
      return cert === undefined
        ? Promise.reject(new Error("Cannot read cert.pem"))
        : Promise.resolve({ cert, key: "key" });
    },
    (tls) => {
      renewed.push(tls.cert);
      return Promise.resolve();
    },
    { output, signal: stop.signal, clock, everyMs: 1000 },
  );
  const look = async () => {
    const before = looks;
    clock.advance(1100);
    await waitUntil("a look", () => looks > before);
    await turns();
  };
  await turns();
  assertEquals([looks, renewed], [1, []]);
  await look();
  assertEquals(renewed, []);
  cert = undefined;
  await look();
  await look();
  assertEquals(errors.length, 1);
  cert = "two";
  await look();
  await look();
  assertEquals(renewed, ["two"]);
  stop.abort();
  await watching;
});
