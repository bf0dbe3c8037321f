import { assertEquals, assertThrows } from "@std/assert";
import {
  matchesCertificateName,
  parseCertificateName,
} from "../../../../src/security/certificates/certificate_names.ts";

Deno.test("parseCertificateName() tells names of each kind apart", () => {
  const cases: [string, string, string][] = [
    ["localhost", "dns", "localhost"],
    ["Hub.Example.", "dns", "hub.example"],
    ["*.example.org", "dns", "*.example.org"],
    ["_sip.example.org", "dns", "_sip.example.org"],
    ["bücher.example", "dns", "xn--bcher-kva.example"],
    ["127.0.0.1", "ip", "127.0.0.1"],
    ["::1", "ip", "::1"],
    ["[2001:DB8:0:0:0:0:0:1]", "ip", "2001:db8::1"],
    ["spiffe://example.org/hub/1", "uri", "spiffe://example.org/hub/1"],
    ["urn:uuid:6e8bc430", "uri", "urn:uuid:6e8bc430"],
    ["ada@example.org", "email", "ada@example.org"],
  ];
  for (const [text, type, value] of cases) {
    assertEquals(parseCertificateName(text) as unknown, { type, value });
  }
});

Deno.test("parseCertificateName() refuses what is no name", () => {
  const texts = [
    "",
    " ",
    "*",
    "*.",
    "a.*.example",
    "a b",
    "localhost:8080",
    "[localhost]",
    "1.2.3",
    "1.2.3.4.5",
    "300.1.1.1",
    "fe80::1%eth0",
    "-a.example",
    "a..example",
    "a/b",
    "a\0b",
    "x".repeat(64),
    "spiffe:hub",
    `${"a.".repeat(127)}example`,
  ];
  for (const text of texts) {
    assertThrows(
      () => parseCertificateName(text),
      TypeError,
      JSON.stringify(text),
    );
  }
});

Deno.test("matchesCertificateName() lets a star stand for one whole label", () => {
  const names = (...dns: string[]) => ({ dns, ip: [], uri: [], email: [] });
  const wildcard = names("*.example.org");
  assertEquals(matchesCertificateName(wildcard, "A.Example.Org"), true);
  for (const name of ["example.org", "a.b.example.org", "aexample.org"]) {
    assertEquals(matchesCertificateName(wildcard, name), false, name);
  }
  assertEquals(matchesCertificateName(names("*.org"), "example.org"), false);
  assertEquals(matchesCertificateName(names("a*.b.org"), "ab.b.org"), false);
  assertEquals(matchesCertificateName(names("*"), "localhost"), false);
});

Deno.test("matchesCertificateName() compares addresses as addresses", () => {
  const names = { dns: ["127.0.0.2"], ip: ["0:0::1"], uri: [], email: [] };
  assertEquals(matchesCertificateName(names, "::1"), true);
  assertEquals(matchesCertificateName(names, "127.0.0.2"), false);
});
