import { assert, assertEquals } from "@std/assert";
import type { ServerEvent } from "../../../src/observe/events.ts";
import { auditHandshakes } from "../../../src/security/audit.ts";
import { DEFAULT_LOGIN_LIMITS } from "../../../src/security/login.ts";
import { networkOf } from "../../../src/security/source.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { AuditRecorder } from "../../support/login.ts";

Deno.test("auditHandshakes() records handshakes that fail, and passes all on", () => {
  const audit = new AuditRecorder();
  const passed: string[] = [];
  const observe = auditHandshakes(audit, ({ type }) => passed.push(type));
  const cause = new Error("peer sent no certificate");
  const failed: ServerEvent = {
    type: "handshake failed",
    endpoint: "tls://0.0.0.0:9443",
    address: "192.0.2.7:4242",
    error: new Error("Cannot shake hands", { cause }),
  };
  observe({ type: "suspended" });
  observe(failed);
  assertEquals(passed, ["suspended", "handshake failed"]);
  assertEquals(audit.events, [{
    event: "certificate refused",
    source: "192.0.2.7",
    endpoint: "tls://0.0.0.0:9443",
    detail: "Cannot shake hands: peer sent no certificate",
    count: undefined,
  }]);
  audit.fault = new Error("Cannot write");
  observe(failed);
});

Deno.test("auditHandshakes() records ten of a source at once, then one a second, and how many it left out", async () => {
  const audit = new AuditRecorder();
  const clock = new VirtualClock();
  const observe = auditHandshakes(audit, undefined, clock);
  const fail = (address: string) =>
    observe({
      type: "handshake failed",
      endpoint: "tls://0.0.0.0:9443",
      address,
      error: new Error("certificate has expired"),
    });
  for (let port = 1; port <= 1000; port++) fail(`192.0.2.7:${port}`);
  assertEquals(audit.events.length, 10);
  fail("192.0.2.8:1");
  fail("192.0.2.8:2");
  assertEquals(
    audit.events.slice(9).map(({ source, count }) => [source, count]),
    [
      ["192.0.2.7", undefined],
      ["192.0.2.8", 990],
      ["192.0.2.8", undefined],
    ],
  );
  await clock.advance(1000);
  fail("192.0.2.7:1001");
  assertEquals(audit.events.length, 13);
});

Deno.test("networkOf() believes the proxy, then the address, then the endpoint", () => {
  const of = (address: string, told?: string) =>
    networkOf({ address, endpoint: "unix:/run/hub.sock" }, told);
  assertEquals(of("192.0.2.7:4242"), "192.0.2.7");
  assertEquals(of("[2001:db8::7]:4242"), "2001:db8:0:0::/64");
  assertEquals(of("192.0.2.7:4242", "2001:db8:0:1::9"), "2001:db8:0:1::/64");
  assertEquals(of("192.0.2.7:4242", "::ffff:198.51.100.1"), "198.51.100.1");
  assertEquals(of("unix#4"), "unix:/run/hub.sock");
});

Deno.test("authorization.md has every limit of a login with its default", async () => {
  const page = await Deno.readTextFile("docs/authorization.md");
  for (const [name, value] of Object.entries(DEFAULT_LOGIN_LIMITS)) {
    const row = page.split("\n").find((it) => it.startsWith(`| \`${name}\` `));
    assert(row?.includes(` ${value.toLocaleString("en-US")} `), `${row}`);
  }
});
