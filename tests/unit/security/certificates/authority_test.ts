import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  createCa,
  openCa,
} from "../../../../src/security/certificates/authority.ts";
import { CertificateError } from "../../../../src/security/certificates/certificate_error.ts";
import {
  isKeyOf,
  KEY_ALGORITHMS,
} from "../../../../src/security/certificates/certificate_key.ts";
import {
  inspectCertificates,
  readCertificate,
} from "../../../../src/security/certificates/read_certificate.ts";
import { verifyCertificate } from "../../../../src/security/certificates/verify_certificate.ts";
import { sign, signAuthority, x509 } from "../../../support/certificates.ts";

const HOUR_MS = 3_600_000;

for (const algorithm of KEY_ALGORITHMS) {
  Deno.test(`createCa() and issue() make certificates with ${algorithm}`, async () => {
    const ca = await createCa({ algorithm });
    const opened = await openCa(ca.certPem, ca.keyPem);
    const leaf = await opened.issue({
      names: ["localhost"],
      purpose: "server",
      // One slow key is enough.
      algorithm: algorithm === "rsa-4096" ? "ecdsa-p256" : algorithm,
    });
    assert(isKeyOf(leaf.keyPem, leaf.certPem));
    await verifyCertificate(leaf.certPem, {
      ca: ca.certPem,
      name: "localhost",
    });
  });
}

Deno.test("createCa() gives every authority a name of its own", async () => {
  const [one, other] = [await createCa(), await createCa()];
  assertNotEquals(one.certificate.subject, other.certificate.subject);
});

Deno.test("issue() puts in names, purpose and time, and what RFC 5280 asks for", async () => {
  const nowMs = Date.UTC(2030, 0, 1);
  const ca = await createCa({ nowMs });
  const { certPem, certificate } = await ca.issue({
    names: ["hub.example", "2001:db8::5:0:0:7", "spiffe://a/b", "c@d.e"],
    organization: 'Ropes, Knots & "Sons"',
    purpose: "peer",
    validMs: HOUR_MS,
    nowMs,
  });
  assertEquals(certificate, await readCertificate(certPem));
  assertEquals(
    certificate.subject,
    'CN=hub.example,O=Ropes\\, Knots & \\"Sons\\"',
  );
  assertEquals(certificate.names, {
    dns: ["hub.example"],
    ip: ["2001:db8::5:0:0:7"],
    uri: ["spiffe://a/b"],
    email: ["c@d.e"],
  });
  assertEquals(certificate.notBefore, new Date(nowMs - 5 * 60_000));
  assertEquals(certificate.notAfter, new Date(nowMs + HOUR_MS));
  assertMatch(certificate.serialNumber, /^[4-7][0-9A-F]{39}$/);
  const [details] = await inspectCertificates(certPem);
  assertEquals(details?.purposes, ["server", "client"]);
  const parsed = new x509.X509Certificate(certPem);
  const critical = [...parsed.extensions].filter(({ critical }) => critical)
    .map(({ type }) => type);
  assertEquals(critical, ["2.5.29.19", "2.5.29.15"]);
  const own = parsed.getExtension(x509.AuthorityKeyIdentifierExtension);
  const authority = new x509.X509Certificate(ca.certPem)
    .getExtension(x509.SubjectKeyIdentifierExtension);
  assertEquals(own?.keyId, authority?.keyId);
});

Deno.test("issue() never signs for longer than the authority lives", async () => {
  const ca = await createCa({ validMs: HOUR_MS });
  const { certificate } = await ca.issue({ names: ["a"], purpose: "server" });
  assertEquals(certificate.notAfter, ca.certificate.notAfter);
  const error = await assertRejects(
    () =>
      ca.issue({
        names: ["a"],
        purpose: "server",
        nowMs: Date.now() + 2 * HOUR_MS,
      }),
    CertificateError,
  );
  assertEquals(error.fault, "expired");
});

Deno.test("issue() makes the names critical where there is no subject", async () => {
  const ca = await createCa();
  const name = `spiffe://example.org/${"deep/".repeat(20)}hub`;
  const { certPem, certificate } = await ca.issue({
    names: [name],
    purpose: "peer",
  });
  assertEquals(certificate.subject, "");
  const names = new x509.X509Certificate(certPem).getExtension("2.5.29.17");
  assertEquals(names?.critical, true);
  await verifyCertificate(certPem, { ca: ca.certPem, name });
});

Deno.test("issue() refuses what makes no sound certificate", async () => {
  const ca = await createCa();
  const refused = [
    { purpose: "server" },
    { purpose: "server", names: ["a:b"] },
    { purpose: "client", commonName: "x".repeat(65) },
    { purpose: "client", commonName: "a\nb" },
    { purpose: "server", names: new Array<string>(1001).fill("a") },
  ] as const;
  for (const options of refused) {
    await assertRejects(() => ca.issue(options), TypeError, "Cannot");
  }
  for (const validMs of [0, -1, NaN, Infinity]) {
    await assertRejects(
      () => ca.issue({ names: ["a"], purpose: "server", validMs }),
      RangeError,
      `current value is ${validMs}`,
    );
  }
});

Deno.test("issue() sends the chain along where the authority is no root", async () => {
  const root = await signAuthority({ subject: "CN=Root" });
  const middle = await signAuthority({ subject: "CN=Middle", by: root });
  const der = await crypto.subtle.exportKey("pkcs8", middle.keys.privateKey);
  const keyPem = x509.PemConverter.encode(der, "PRIVATE KEY");
  const ca = await openCa(middle.pem, keyPem);
  const { certPem } = await ca.issue({ names: ["a"], purpose: "server" });
  await verifyCertificate(certPem, { ca: root.pem, name: "a" });
});

Deno.test("openCa() refuses a certificate that may not sign, and another's key", async () => {
  const ca = await createCa();
  const other = await createCa();
  const leaf = await ca.issue({ names: ["a"], purpose: "server" });
  const error = await assertRejects(
    () => openCa(leaf.certPem, leaf.keyPem),
    CertificateError,
  );
  assertEquals(error.fault, "misused authority");
  await assertRejects(() => openCa(ca.certPem, other.keyPem), TypeError);
  await assertRejects(
    () => openCa("no certificate", ca.keyPem),
    CertificateError,
    "unreadable",
  );
});

Deno.test("isKeyOf() refuses what is no key", async () => {
  const { certPem } = await createCa();
  assertThrows(() => isKeyOf("no key", certPem), TypeError, "Cannot read");
});

Deno.test("readCertificate() writes names as RFC 4514 does", async () => {
  const { pem } = await sign({ subject: "C=DE, O=\\ x\\;y, CN=\\#1\\+1" });
  const { subject, commonName } = await readCertificate(pem);
  assertEquals(subject, "CN=\\#1\\+1,O=\\ x\\;y,C=DE");
  assertEquals(commonName, "#1+1");
});
