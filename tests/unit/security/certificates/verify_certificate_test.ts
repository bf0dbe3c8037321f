import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { createCa } from "../../../../src/security/certificates/authority.ts";
import {
  CertificateError,
  type CertificateFault,
} from "../../../../src/security/certificates/certificate_error.ts";
import { readRevocationList } from "../../../../src/security/certificates/revocation_list.ts";
import {
  verifyCertificate,
  type VerifyCertificateOptions,
} from "../../../../src/security/certificates/verify_certificate.ts";
import {
  rsaKeys,
  sign,
  signAuthority,
  x509,
} from "../../../support/certificates.ts";

const DAY_MS = 86_400_000;
const ca = await createCa({ commonName: "Harbour CA" });
const server = await ca.issue({
  names: ["hub.example", "*.quay.example", "::1", "192.0.2.7"],
  purpose: "server",
});
const client = await ca.issue({
  names: ["spiffe://harbour.example/ada"],
  commonName: "ada",
  purpose: "client",
});

async function assertFault(
  fault: CertificateFault,
  chain: string | Uint8Array,
  options: Partial<VerifyCertificateOptions> = {},
): Promise<CertificateError> {
  const error = await assertRejects(
    () => verifyCertificate(chain, { ca: ca.certPem, ...options }),
    CertificateError,
  );
  assertEquals(error.fault, fault, error.message);
  assertStringIncludes(error.message, `Cannot trust the certificate: ${fault}`);
  return error;
}

Deno.test("verifyCertificate() returns what a sound certificate says", async () => {
  for (const name of ["hub.example", "a.quay.example", "[::1]", "192.0.2.7"]) {
    const certificate = await verifyCertificate(server.certPem, {
      ca: ca.certPem,
      name,
      purpose: "server",
    });
    assertEquals(certificate, server.certificate);
  }
  const der = server.certificate.raw;
  await verifyCertificate(der, { ca: ca.certificate.raw });
  await verifyCertificate(client.certPem, {
    ca: ca.certPem,
    name: "spiffe://harbour.example/ada",
    purpose: "client",
  });
});

Deno.test("verifyCertificate() refuses a certificate whose time is over", async () => {
  const { notAfter } = server.certificate;
  await verifyCertificate(server.certPem, {
    ca: ca.certPem,
    nowMs: notAfter.getTime(),
  });
  await assertFault("expired", server.certPem, {
    nowMs: notAfter.getTime() + 1,
  });
});

Deno.test("verifyCertificate() refuses a certificate whose time has not come", async () => {
  const { notBefore } = server.certificate;
  await assertFault("not yet valid", server.certPem, {
    nowMs: notBefore.getTime() - 1,
  });
});

Deno.test("verifyCertificate() refuses what an expired authority signed", async () => {
  const past = await createCa({
    nowMs: Date.now() - 3 * DAY_MS,
    validMs: DAY_MS,
  });
  const leaf = await sign({
    subject: "CN=late",
    by: {
      pem: past.certPem,
      certificate: new x509.X509Certificate(past.certPem),
      keys: await keysOf(past.keyPem, past.certPem),
    },
  });
  await assertFault("expired", leaf.pem, { ca: past.certPem });
});

Deno.test("verifyCertificate() refuses a certificate for another name", async () => {
  for (
    const name of [
      "example",
      "a.b.quay.example",
      "quay.example",
      "192.0.2.8",
      "::2",
      "spiffe://harbour.example/ada",
    ]
  ) {
    await assertFault("wrong name", server.certPem, { name });
  }
});

Deno.test("verifyCertificate() does not take the common name for a name", async () => {
  const unnamed = await ca.issue({
    names: ["other.example"],
    commonName: "hub.example",
    purpose: "server",
  });
  await assertFault("wrong name", unnamed.certPem, { name: "hub.example" });
});

Deno.test("verifyCertificate() refuses a certificate that vouches for itself", async () => {
  const self = await sign({ subject: "CN=hub.example" });
  await assertFault("self-signed", self.pem);
  await verifyCertificate(self.pem, { ca: self.pem });
});

Deno.test("verifyCertificate() refuses a certificate of an unknown authority", async () => {
  const other = await createCa({ commonName: "Other CA" });
  const { certPem } = await other.issue({
    names: ["a.example"],
    purpose: "server",
  });
  await assertFault("unknown authority", certPem);
  // The stranger sending his authority along changes nothing.
  await assertFault("self-signed", certPem + other.certPem);
});

Deno.test("verifyCertificate() refuses a certificate that its authority did not sign", async () => {
  const namesake = await createCa({ commonName: "Harbour CA" });
  const { certPem } = await namesake.issue({
    names: ["hub.example"],
    purpose: "server",
  });
  await assertFault("forged", certPem);
  const altered = server.certificate.raw.slice();
  altered[altered.length - 1]! ^= 1;
  await assertFault("forged", altered);
});

Deno.test("verifyCertificate() refuses a revoked certificate", async () => {
  const pem = await ca.createRevocationList([client.certificate]);
  const revocationLists = [await readRevocationList(pem, ca.certPem)];
  await verifyCertificate(server.certPem, { ca: ca.certPem, revocationLists });
  await assertFault("revoked", client.certPem, { revocationLists });
});

Deno.test("verifyCertificate() refuses to do without a current revocation list", async () => {
  const other = await createCa({ commonName: "Other CA" });
  const foreign = await readRevocationList(
    await other.createRevocationList([]),
    other.certPem,
  );
  const absent = await assertFault("no revocation list", server.certPem, {
    revocationLists: [foreign],
  });
  assertStringIncludes(absent.message, "there is none of CN=Harbour CA");
  const list = await readRevocationList(
    await ca.createRevocationList([], { validMs: DAY_MS }),
    ca.certPem,
  );
  await assertFault("no revocation list", server.certPem, {
    revocationLists: [list],
    nowMs: Date.now() + DAY_MS + 1000,
  });
});

Deno.test("verifyCertificate() refuses what is on the deny list", async () => {
  const { serialNumber, fingerprint, publicKeyPin } = client.certificate;
  for (const id of [serialNumber, fingerprint, publicKeyPin]) {
    const denied = new Set([id]);
    await assertFault("denied", client.certPem, { denied });
    await verifyCertificate(server.certPem, { ca: ca.certPem, denied });
  }
});

Deno.test("verifyCertificate() refuses weak keys", async () => {
  const authority = await signAuthority({ subject: "CN=Weak key CA" });
  const keys = await rsaKeys(1024, "SHA-256");
  const leaf = await sign({ subject: "CN=leaf", by: authority, keys });
  await assertFault("weak key", leaf.pem, { ca: authority.pem });
  const weak = await signAuthority({ subject: "CN=Weak CA", keys });
  const below = await sign({ subject: "CN=leaf", by: weak });
  await assertFault("weak key", below.pem, { ca: weak.pem });
});

Deno.test("verifyCertificate() refuses signatures with SHA-1", async () => {
  const authority = await signAuthority({
    subject: "CN=Old CA",
    keys: await rsaKeys(2048, "SHA-1"),
    hash: "SHA-1",
  });
  const leaf = await sign({ subject: "CN=leaf", by: authority, hash: "SHA-1" });
  await assertFault("weak signature", leaf.pem, { ca: authority.pem });
});

Deno.test("verifyCertificate() refuses a certificate for another purpose", async () => {
  await assertFault("wrong purpose", server.certPem, { purpose: "client" });
  await assertFault("wrong purpose", client.certPem, { purpose: "server" });
  await assertFault("wrong purpose", client.certPem, { purpose: "peer" });
  const peer = await ca.issue({ names: ["a.example"], purpose: "peer" });
  for (const purpose of ["server", "client", "peer"] as const) {
    await verifyCertificate(peer.certPem, { ca: ca.certPem, purpose });
  }
});

Deno.test("verifyCertificate() refuses a key that may not sign handshakes", async () => {
  const authority = await signAuthority({ subject: "CN=CA" });
  const usage = x509.KeyUsageFlags.keyEncipherment;
  const leaf = await sign({
    subject: "CN=leaf",
    by: authority,
    extensions: [new x509.KeyUsagesExtension(usage, true)],
  });
  await assertFault("wrong purpose", leaf.pem, {
    ca: authority.pem,
    purpose: "server",
  });
});

Deno.test("verifyCertificate() refuses an authority shown as a peer", async () => {
  await assertFault("misused authority", ca.certPem);
});

Deno.test("verifyCertificate() refuses what a peer's certificate signed", async () => {
  const root = await signAuthority({ subject: "CN=Root" });
  const peer = await sign({ subject: "CN=peer", by: root });
  const leaf = await sign({ subject: "CN=leaf", by: peer });
  await assertFault("misused authority", leaf.pem + peer.pem, { ca: root.pem });
});

Deno.test("verifyCertificate() refuses an authority without the right to sign", async () => {
  const root = await signAuthority({
    subject: "CN=Root",
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const leaf = await sign({ subject: "CN=leaf", by: root });
  await assertFault("misused authority", leaf.pem, { ca: root.pem });
});

Deno.test("verifyCertificate() follows a chain, as far as each authority allows", async () => {
  const root = await signAuthority({ subject: "CN=Root", pathLength: 1 });
  const middle = await signAuthority({ subject: "CN=Middle", by: root });
  const low = await signAuthority({ subject: "CN=Low", by: middle });
  const leaf = await sign({ subject: "CN=leaf", by: middle });
  await verifyCertificate(leaf.pem + middle.pem, { ca: root.pem });
  await verifyCertificate(leaf.pem, { ca: root.pem + middle.pem });
  await assertFault("unknown authority", leaf.pem, { ca: root.pem });
  const deep = await sign({ subject: "CN=leaf", by: low });
  await assertFault("misused authority", deep.pem + middle.pem + low.pem, {
    ca: root.pem,
  });
});

Deno.test("verifyCertificate() ends where two authorities vouch for each other", async () => {
  const one = await signAuthority({ subject: "CN=One" });
  const two = await signAuthority({ subject: "CN=Two", by: one });
  const loop = await signAuthority({
    subject: "CN=One",
    by: two,
    keys: one.keys,
  });
  const leaf = await sign({ subject: "CN=leaf", by: two });
  await assertFault("forged", leaf.pem + two.pem + loop.pem);
});

Deno.test("verifyCertificate() refuses critical extensions that it does not know", async () => {
  const authority = await signAuthority({ subject: "CN=CA" });
  const strange = (critical: boolean) =>
    new x509.Extension("1.2.3.4", critical, new Uint8Array([5, 0]));
  const options = { subject: "CN=leaf", by: authority };
  const fine = await sign({ ...options, extensions: [strange(false)] });
  await verifyCertificate(fine.pem, { ca: authority.pem });
  const refused = await sign({ ...options, extensions: [strange(true)] });
  await assertFault("unknown extension", refused.pem, { ca: authority.pem });
});

Deno.test("verifyCertificate() refuses what is no certificate", async () => {
  await assertFault("unreadable", "");
  await assertFault("unreadable", ca.keyPem);
  await assertFault("unreadable", new Uint8Array([0x30, 0x80, 1, 2, 3]));
  await assertFault("unreadable", server.certificate.raw.subarray(0, 200));
  await assertFault("unreadable", server.certPem, { ca: "" });
});

Deno.test("verifyCertificate() refuses every change to what is signed", async () => {
  const { raw } = server.certificate;
  for (let index = 0; index < raw.length; index++) {
    const altered = raw.slice();
    altered[index]! ^= 0x80;
    try {
      const { serialNumber, names, publicKeyPin, notAfter } =
        await verifyCertificate(altered, { ca: ca.certPem });
      // Some bytes of the encoding around it say nothing.
      const { certificate } = server;
      assertEquals(
        { serialNumber, names, publicKeyPin, notAfter },
        {
          serialNumber: certificate.serialNumber,
          names: certificate.names,
          publicKeyPin: certificate.publicKeyPin,
          notAfter: certificate.notAfter,
        },
      );
    } catch (error) {
      assertInstanceOf(error, CertificateError, `byte ${index}: ${error}`);
    }
  }
});

async function keysOf(
  keyPem: string,
  certPem: string,
): Promise<CryptoKeyPair> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const [der] = x509.PemConverter.decode(keyPem);
  return {
    privateKey: await crypto.subtle.importKey("pkcs8", der!, algorithm, true, [
      "sign",
    ]),
    publicKey: await new x509.X509Certificate(certPem).publicKey.export(),
  };
}
