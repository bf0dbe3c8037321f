import { assertEquals } from "@std/assert";
import { expiryWarnings } from "../../../../src/io/tls/expiry.ts";
import { pem, SERVER_TLS } from "../../../support/tls.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

Deno.test("expiryWarnings() tells of certificates that end soon", () => {
  const { tls } = SERVER_TLS;
  const endMs = Date.parse("2120-01-01T00:00:00Z");
  assertEquals(expiryWarnings(tls, endMs - 31 * DAY_MS), []);
  assertEquals(expiryWarnings(tls, endMs - 29 * DAY_MS), [
    "The certificate CN=localhost ends soon: 2120-01-01T00:00:00.000Z",
  ]);
  const names = { "example.org": { cert: pem("expired"), key: pem("key") } };
  assertEquals(expiryWarnings({ ...tls, names }, Date.parse("2030-01-01")), [
    "The certificate CN=localhost has ended: 2021-01-01T00:00:00.000Z",
  ]);
});
