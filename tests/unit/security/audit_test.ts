import { assert, assertEquals } from "@std/assert";
import type { ServerEvent } from "../../../src/observe/events.ts";
import type { Peer } from "../../../src/io/peer.ts";
import { auditHandshakes } from "../../../src/security/audit.ts";
import { DEFAULT_LOGIN_LIMITS } from "../../../src/security/login.ts";
import { networkOf } from "../../../src/security/source.ts";
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
    source: "192.0.2.7:4242",
    endpoint: "tls://0.0.0.0:9443",
    detail: "peer sent no certificate",
  }]);
  audit.fault = new Error("Cannot write");
  observe(failed);
});

Deno.test("networkOf() believes the proxy, then the address, then the endpoint", () => {
  const of = (address: string, told?: string) =>
    networkOf(
      { address, endpoint: "unix:/run/hub.sock" } as Peer<unknown, unknown>,
      () => told,
    );
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
