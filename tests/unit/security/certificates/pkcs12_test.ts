import { assertEquals, assertRejects } from "@std/assert";
import { createCa } from "../../../../src/security/certificates/authority.ts";
import { exportPkcs12 } from "../../../../src/security/certificates/pkcs12.ts";

Deno.test("exportPkcs12() never writes the key or the password in the clear", async () => {
  const ca = await createCa();
  const ada = await ca.issue({ commonName: "ada", purpose: "client" });
  const password = "Anchor-42-Anchor-42";
  const p12 = await exportPkcs12({ ...ada, caPem: ca.certPem, password });
  const text = new TextDecoder("latin1").decode(p12);
  assertEquals(text.includes(password), false);
  assertEquals(text.includes("ada"), false);
  const key = Uint8Array.fromBase64(ada.keyPem.replaceAll(/-----.*-----/g, ""));
  const secret = new TextDecoder("latin1").decode(key.slice(-70, -40));
  assertEquals(text.includes(secret), false);
});

Deno.test("exportPkcs12() refuses an empty password", async () => {
  const ada = await (await createCa()).issue({
    commonName: "ada",
    purpose: "client",
  });
  await assertRejects(
    () => exportPkcs12({ ...ada, password: "" }),
    TypeError,
    "Cannot pack a key without a password",
  );
});
