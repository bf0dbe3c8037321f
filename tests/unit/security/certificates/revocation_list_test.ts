import { assertEquals, assertRejects } from "@std/assert";
import { createCa } from "../../../../src/security/certificates/authority.ts";
import {
  CertificateError,
  type CertificateFault,
} from "../../../../src/security/certificates/certificate_error.ts";
import { readRevocationList } from "../../../../src/security/certificates/revocation_list.ts";

const ca = await createCa({ commonName: "Harbour CA" });

async function assertFault(
  fault: CertificateFault,
  crl: string | Uint8Array,
  authority = ca.certPem,
): Promise<void> {
  const error = await assertRejects(
    () => readRevocationList(crl, authority),
    CertificateError,
  );
  assertEquals(error.fault, fault, error.message);
}

function derOf(pem: string): Uint8Array {
  return Uint8Array.fromBase64(pem.replaceAll(/-----.*-----/g, ""));
}

Deno.test("readRevocationList() reads what createRevocationList() signed", async () => {
  const nowMs = Math.floor(Date.now() / 1000) * 1000;
  const pem = await ca.createRevocationList([
    { serialNumber: "0a:ff" },
    { serialNumber: "9abc", reason: "keyCompromise" },
    { serialNumber: "00ff", revokedAtMs: 0 },
  ], { nowMs, validMs: 60_000 });
  const expected = {
    issuer: "CN=Harbour CA",
    thisUpdate: new Date(nowMs),
    nextUpdate: new Date(nowMs + 60_000),
    serialNumbers: new Set(["0AFF", "9ABC", "FF"]),
  };
  assertEquals(await readRevocationList(pem, ca.certPem), expected);
  assertEquals(await readRevocationList(derOf(pem), ca.certPem), expected);
});

Deno.test("createRevocationList() refuses what is no serial number", async () => {
  for (const serialNumber of ["", "xyz", "12 zz", "11".repeat(21)]) {
    await assertRejects(
      () => ca.createRevocationList([{ serialNumber }]),
      TypeError,
      "Cannot revoke a serial number",
    );
  }
});

Deno.test("readRevocationList() refuses lists of others, altered and damaged ones", async () => {
  const other = await createCa({ commonName: "Other CA" });
  const namesake = await createCa({
    commonName: "Harbour CA",
    algorithm: "ed25519",
  });
  const pem = await ca.createRevocationList([{ serialNumber: "01" }]);
  await assertFault("unknown authority", pem, other.certPem);
  await assertFault("forged", pem, namesake.certPem);
  await assertFault("forged", await namesake.createRevocationList([]));
  const altered = derOf(pem);
  altered[altered.length - 1]! ^= 1;
  await assertFault("forged", altered);
  await assertFault("unreadable", derOf(pem).subarray(0, 100));
  await assertFault("unreadable", ca.certPem);
  await readRevocationList(pem, other.certPem + namesake.certPem + ca.certPem);
});
