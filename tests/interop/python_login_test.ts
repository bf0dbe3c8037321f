// Python's hashlib and hmac: what a client or an administrator writes with them logs in here, and the other way round.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deviceProof, PasswordHasher } from "../../mod.ts";
import { isInstalled } from "../support/installed.ts";
import { run } from "../support/program.ts";

const ignore = !await isInstalled("python3", "--version");

async function python(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run([
    "python3",
    "-c",
    program,
    ...args,
  ]);
  assertEquals([code, stderr], [0, ""]);
  return stdout.trim();
}

Deno.test({
  name: "deviceProof() is what the documented Python makes",
  ignore,
  async fn() {
    const page = await Deno.readTextFile("docs/authentication.md");
    const snippet = /```python\n([^]*?)```/.exec(page)![1]!;
    const secret = crypto.getRandomValues(new Uint8Array(32));
    const challenge = crypto.getRandomValues(new Uint8Array(32)).toBase64();
    const mac = await python(
      `${snippet}
import sys
print(device_proof(bytes.fromhex(sys.argv[1]), *sys.argv[2:]))`,
      secret.toHex(),
      "thermometer-7",
      "hub.example.org",
      challenge,
    );
    assertEquals(
      mac,
      deviceProof({
        secret,
        device: "thermometer-7",
        server: "hub.example.org",
        challenge,
      }),
    );
  },
});

const HASH = `
import base64, hashlib, os, sys

def phc(password, salt):
    key = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=5,
                         maxmem=2**26, dklen=32)
    text = lambda data: base64.b64encode(data).decode().rstrip("=")
    return "$scrypt$ln=14,r=8,p=5$" + text(salt) + "$" + text(key)
`;

Deno.test({
  name: "PasswordHasher.verify() takes the hashes of Python's hashlib.scrypt",
  ignore,
  async fn() {
    const stored = await python(
      `${HASH}\nprint(phc(sys.argv[1], os.urandom(16)))`,
      "pässword",
    );
    const hasher = new PasswordHasher();
    assert(await hasher.verify("pässword", stored));
    assert(!await hasher.verify("password", stored));
    assertEquals(hasher.needsRehash(stored), false);
  },
});

Deno.test({
  name: "PasswordHasher.hash() makes what Python's hashlib.scrypt makes",
  ignore,
  async fn() {
    const stored = await new PasswordHasher().hash("pässword");
    const salt = stored.split("$")[3]!;
    assertMatch(salt, /^[A-Za-z0-9+/]{22}$/);
    assertEquals(
      await python(
        `${HASH}\nprint(phc(sys.argv[1], base64.b64decode(sys.argv[2] + "==")))`,
        "pässword",
        salt,
      ),
      stored,
    );
  },
});
