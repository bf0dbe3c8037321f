import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { createCa } from "../../../../src/security/certificates/authority.ts";
import { isKeyOf } from "../../../../src/security/certificates/certificate_key.ts";
import {
  type DevelopmentCertificate,
  developmentCertificate,
} from "../../../../src/security/certificates/development_certificate.ts";
import { verifyCertificate } from "../../../../src/security/certificates/verify_certificate.ts";

const DAY_MS = 86_400_000;

async function inFolder(
  test: (folder: string) => Promise<void>,
): Promise<void> {
  const parent = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    await test(`${parent}/data/tls`);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

function modeOf(path: string): number {
  return Deno.statSync(path).mode! & 0o777;
}

async function verify(
  { cert, caPath }: DevelopmentCertificate,
  nowMs = Date.now(),
): Promise<void> {
  const ca = await Deno.readTextFile(caPath);
  for (const name of ["localhost", "127.0.0.1", "::1"]) {
    await verifyCertificate(cert, { ca, name, purpose: "server", nowMs });
  }
}

Deno.test("developmentCertificate() makes an authority and a certificate once", () =>
  inFolder(async (folder) => {
    const made = await developmentCertificate(folder);
    assertEquals(made.created, true);
    await verify(made);
    assertEquals(modeOf(folder), 0o700);
    assertEquals(modeOf(made.keyPath), 0o600);
    assertEquals(modeOf(`${folder}/ca-key.pem`), 0o600);
    assertEquals(await Deno.readTextFile(made.certPath), made.cert);
    assertEquals(await Deno.readTextFile(made.keyPath), made.key);
    const found = await developmentCertificate(folder);
    assertEquals(found, { ...made, created: false });
  }));

Deno.test("developmentCertificate() renews what is about to expire, by the same authority", () =>
  inFolder(async (folder) => {
    const made = await developmentCertificate(folder);
    const ca = await Deno.readTextFile(made.caPath);
    const nowMs = Date.now() + 380 * DAY_MS;
    const renewed = await developmentCertificate(folder, { nowMs });
    assertNotEquals(renewed.cert, made.cert);
    assertEquals(renewed.created, false);
    assertEquals(await Deno.readTextFile(made.caPath), ca);
    assertEquals(modeOf(renewed.keyPath), 0o600);
    await verify(renewed, nowMs);
  }));

Deno.test("developmentCertificate() replaces one that lacks a name, a key or its sense", () =>
  inFolder(async (folder) => {
    const made = await developmentCertificate(folder);
    const options = { names: ["hub.internal"] };
    const wider = await developmentCertificate(folder, options);
    assertNotEquals(wider.cert, made.cert);
    // What is valid for more is good for less.
    assertEquals((await developmentCertificate(folder)).cert, wider.cert);
    await Deno.writeTextFile(made.keyPath, made.key);
    const matched = await developmentCertificate(folder);
    assert(isKeyOf(matched.key, matched.cert));
    await Deno.writeTextFile(made.certPath, "damaged");
    await verify(await developmentCertificate(folder));
  }));

Deno.test("developmentCertificate() makes one authority for many that start at once", () =>
  inFolder(async (folder) => {
    const all = await Promise.all(
      Array.from({ length: 8 }, () => developmentCertificate(folder)),
    );
    assertEquals(all.filter(({ created }) => created).length, 1);
    assertEquals(new Set(all.map(({ cert }) => cert)).size, 1);
  }));

Deno.test("developmentCertificate() does not replace half an authority", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(folder, { recursive: true });
    const { certPem } = await createCa();
    await Deno.writeTextFile(`${folder}/ca.pem`, certPem);
    await assertRejects(
      () => developmentCertificate(folder),
      Deno.errors.NotFound,
      "ca.pem is there and ca-key.pem is not",
    );
    assertEquals(await Deno.readTextFile(`${folder}/ca.pem`), certPem);
  }));
