import { assertEquals, assertThrows } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { seededRandom } from "../../../../src/bytes/random.ts";
import {
  pemCertificates,
  readTlsCertificate,
} from "../../../../src/io/tls/certificate.ts";
import { readObjectId, readTime } from "../../../../src/io/tls/der.ts";
import { pem } from "../../../support/tls.ts";

function read(name: string): ReturnType<typeof readTlsCertificate> {
  return readTlsCertificate(pemCertificates(pem(name))[0]!);
}

Deno.test("readTlsCertificate() reads what node:crypto reads", () => {
  for (const name of ["cert", "client", "ca", "weak", "wildcard", "sha1"]) {
    const other = new X509Certificate(pem(name));
    const ours = read(name);
    assertEquals(ours.subject, other.subject, name);
    assertEquals(ours.issuer, other.issuer, name);
    assertEquals(ours.serialNumber, other.serialNumber.padStart(40, "0"));
    assertEquals(
      ours.fingerprint,
      other.fingerprint256.replaceAll(":", "").toLowerCase(),
    );
    assertEquals(ours.notBefore, new Date(other.validFrom));
    assertEquals(ours.notAfter, new Date(other.validTo));
    assertEquals(ours.raw, new Uint8Array(other.raw));
  }
});

Deno.test("readTlsCertificate() reads names, purposes and what is weak", () => {
  const client = read("client");
  assertEquals(client.commonName, "ada");
  assertEquals(client.names, {
    dns: ["ada.example"],
    ip: [],
    uri: ["spiffe://example.org/ada"],
    email: ["ada@example.org"],
  });
  assertEquals(client.purposes, { server: false, client: true });
  assertEquals(read("cert").names.ip, ["127.0.0.1", "::1"]);
  assertEquals(read("wildcard").purposes, { server: true, client: false });
  assertEquals(read("ca").purposes, { server: true, client: true });
  assertEquals(read("weak").rsaBits, 1024);
  assertEquals(client.rsaBits, undefined);
  assertEquals(read("sha1").isWeaklySigned, true);
  assertEquals(client.isWeaklySigned, false);
});

Deno.test("readTlsCertificate() refuses what is no certificate", () => {
  const whole = pemCertificates(pem("client"))[0]!;
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => readTlsCertificate(whole.subarray(0, length)));
  }
});

Deno.test("readTlsCertificate() ends on damaged certificates", () => {
  const seed = 4;
  const random = seededRandom(seed);
  const whole = pemCertificates(pem("client"))[0]!;
  for (let round = 0; round < 5000; round++) {
    const damaged = whole.slice();
    damaged[Math.floor(random() * damaged.length)] = random() * 256;
    try {
      readTlsCertificate(damaged);
    } catch (error) {
      const known = error instanceof RangeError || error instanceof TypeError;
      if (!known) throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

Deno.test("readObjectId() reads arcs of every size", () => {
  assertEquals(readObjectId(Uint8Array.of(0x2a, 0x86, 0x48)), "1.2.840");
  assertEquals(readObjectId(Uint8Array.of(0x55, 0x1d, 0x11)), "2.5.29.17");
  assertEquals(readObjectId(Uint8Array.of(0x88, 0x37, 3)), "2.999.3");
});

Deno.test("readTime() knows the century of two digits", () => {
  const time = (tag: number, text: string) =>
    readTime({
      tag,
      content: new TextEncoder().encode(text),
      whole: new Uint8Array(),
    }).toISOString();
  assertEquals(time(0x17, "491231235959Z"), "2049-12-31T23:59:59.000Z");
  assertEquals(time(0x17, "500101000000Z"), "1950-01-01T00:00:00.000Z");
  assertEquals(time(0x18, "21200101000000Z"), "2120-01-01T00:00:00.000Z");
});
