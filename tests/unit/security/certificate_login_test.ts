import { assertEquals, assertThrows } from "@std/assert";
import type { PeerCertificate } from "../../../src/io/peer_identity.ts";
import {
  certificateLogin,
  type CertificateRule,
} from "../../../src/security/certificate_login.ts";
import { loginContext, refusalOf } from "../../support/login_context.ts";

const CERTIFICATE: PeerCertificate = {
  subject: "CN=ada,OU=Engines,O=Example",
  commonName: "ada",
  issuer: "CN=ca",
  serialNumber: "01",
  names: {
    dns: ["web-1.prod.example.org", "Alias.example.org"],
    ip: [],
    uri: ["spiffe://example.org/ns/prod/sa/web"],
    email: ["ada@example.org"],
  },
  fingerprint: "ab".repeat(32),
  publicKeyPin: "p".repeat(43) + "=",
  notBefore: new Date(0),
  notAfter: new Date(1000),
  raw: new Uint8Array(),
};

async function login(
  map: CertificateRule[],
  certificate: PeerCertificate | undefined = CERTIFICATE,
  nowMs = 0,
): Promise<string> {
  const result = await certificateLogin({ map })
    .authenticate(
      { type: "certificate" },
      loginContext({ identity: { certificate }, nowMs }),
    ).catch((error) => error);
  return "id" in result ? [result.id, ...result.roles].join(" ") : result.code;
}

Deno.test("certificateLogin() matches names, and * is one part of them", async () => {
  const cases: [Omit<CertificateRule, "roles">, string][] = [
    [
      { uri: "spiffe://example.org/ns/*/sa/web" },
      "spiffe://example.org/ns/prod/sa/web",
    ],
    [
      { uri: "spiffe://example.org/ns/**" },
      "spiffe://example.org/ns/prod/sa/web",
    ],
    [{ uri: "spiffe://example.org/ns/*" }, "denied"],
    [{ uri: "spiffe://example.org/ns/prod/sa/w" }, "denied"],
    [{ uri: "spiffe://example?org/ns/prod/sa/web" }, "denied"],
    [{ uri: "spiffe://example.com/**" }, "denied"],
    [{ dns: "web-*.prod.example.org" }, "web-1.prod.example.org"],
    [{ dns: "*.example.org" }, "Alias.example.org"],
    [{ dns: "ALIAS.EXAMPLE.ORG" }, "Alias.example.org"],
    [{ dns: "web-1xprod.example.org" }, "denied"],
    [{ email: "*@example.org" }, "ada@example.org"],
    [{ email: "*@example.com" }, "denied"],
    [{ subject: "CN=*,OU=Engines,O=Example" }, CERTIFICATE.subject],
    [{ subject: "CN=ada,**" }, CERTIFICATE.subject],
    [{ subject: "CN=*,O=Example" }, "denied"],
    [{ commonName: "a*" }, "ada"],
    [{ fingerprint: "AB:".repeat(31) + "AB" }, CERTIFICATE.fingerprint],
    [{ fingerprint: "**" }, "denied"],
    [{ publicKeyPin: CERTIFICATE.publicKeyPin }, CERTIFICATE.publicKeyPin],
    [{ publicKeyPin: "*" }, "denied"],
  ];
  for (const [rule, expected] of cases) {
    const roles = ["r"];
    const wanted = expected === "denied" ? expected : `${expected} r`;
    assertEquals(
      await login([{ ...rule, roles }]),
      wanted,
      JSON.stringify(rule),
    );
  }
});

Deno.test("certificateLogin() takes a comma in a name of the subject for no end of it", async () => {
  const subject = "CN=x\\,O=Example";
  for (const pattern of ["CN=*,O=Example", "**,O=Example"]) {
    const rule = { subject: pattern, id: "staff", roles: [] };
    const holder = (subject: string) =>
      login([rule], { ...CERTIFICATE, subject });
    assertEquals(await holder(subject), "denied", pattern);
    assertEquals(await holder("CN=x\\\\\\,O=Example"), "denied", pattern);
    assertEquals(await holder(`${subject},O=Example`), "staff", pattern);
    assertEquals(await holder("CN=x\\\\,O=Example"), "staff", pattern);
  }
  assertEquals(
    await login([{ subject: "CN=x\\,*", id: "x", roles: [] }], {
      ...CERTIFICATE,
      subject,
    }),
    "x",
  );
});

Deno.test("certificateLogin() takes the first rule whose patterns all match", async () => {
  assertEquals(
    await login([
      { dns: "*.example.com", roles: ["com"] },
      { commonName: "ada", dns: "*.example.com", roles: ["both"] },
      { commonName: "ada", email: "ada@*", id: "Ada", roles: ["first"] },
      { commonName: "ada", roles: ["second"] },
    ]),
    "Ada first",
  );
  assertEquals(await login([]), "denied");
});

Deno.test("certificateLogin() refuses without a certificate, and after its end", async () => {
  const map = [{ commonName: "**", roles: [] }];
  assertEquals(
    await refusalOf(
      certificateLogin({ map })
        .authenticate({ type: "certificate" }, loginContext()),
    ),
    ["denied", "the peer showed no certificate"],
  );
  const withoutNames = { ...CERTIFICATE, commonName: undefined };
  assertEquals(await login(map, withoutNames), "denied");
  assertEquals(await login(map, CERTIFICATE, 999), "ada");
  assertEquals(await login(map, CERTIFICATE, 1000), "expired");
});

Deno.test("certificateLogin() refuses a rule that would let in everybody", () => {
  assertThrows(
    () => certificateLogin({ map: [{ id: "x", roles: [] }] }),
    TypeError,
    "must have a pattern",
  );
});

Deno.test("certificateLogin() refuses rules of a file that make no sense", () => {
  const rules: unknown[] = [
    null,
    "ada",
    { commonName: "ada" },
    { commonName: "ada", roles: "admin" },
    { commonName: 1, roles: [] },
    { commonName: "*", emial: "ada@example.org", roles: ["admin"] },
  ];
  for (const rule of rules) {
    const map = JSON.parse(JSON.stringify([rule]));
    assertThrows(() => certificateLogin({ map }), TypeError, "Cannot ");
  }
});
