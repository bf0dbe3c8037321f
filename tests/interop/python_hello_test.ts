// Python's hmac, gzip and zlib as peers: proofs and compressed frames are what others make of them.
import { assertEquals } from "@std/assert";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { compressed } from "../../src/proto/codec/compressed.ts";
import { json } from "../../src/proto/codec/json.ts";
import { FrameReader } from "../../src/proto/frame_reader.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { text } from "../../src/proto/codec/text.ts";
import { negotiated } from "../../src/proto/hello.ts";
import { secrets } from "../support/hello.ts";
import { isInstalled } from "../support/installed.ts";
import { frame } from "../support/raw_client.ts";

const PYTHON = "/usr/bin/python3";
const ignore = !await isInstalled(PYTHON, "--version");

/** Runs a Python program and returns its lines. */
async function python(program: string, ...args: string[]): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(PYTHON, {
    args: ["-c", program, ...args],
  }).output();
  const decoder = new TextDecoder();
  assertEquals(success, true, decoder.decode(stderr));
  return decoder.decode(stdout).trim().split("\n");
}

/** A client's side of the hello: its offer, then its proof of the choice that it is given. */
const CLIENT = `
import hashlib, hmac, json, struct, sys
offer = "portolan/1 offer " + json.dumps({
    "versions": [1], "codecs": ["json"], "compressions": ["none"],
    "checksums": ["none"], "maxFrameBytes": 65536, "nonce": "ab" * 16})
print(offer)
if len(sys.argv) > 1:
    choice, key = sys.argv[1], sys.argv[2].encode()
    for side in "server", "client":
        data = b"portolan/1 " + side.encode()
        for part in offer.encode(), choice.encode():
            data += struct.pack(">I", len(part)) + part
        proof = hmac.new(key, data, hashlib.sha256).hexdigest()
        print("portolan/1 proof " + json.dumps({"proof": proof}))
`;

Deno.test({
  name: "a hello in Python agrees with ours, with a key and without",
  ignore,
  async fn() {
    for (const key of [undefined, "sixteen bytes ok"]) {
      const server = negotiated({
        framing: lengthPrefixed,
        codecs: [json()],
        ...(key === undefined ? {} : { key: new TextEncoder().encode(key) }),
      }).hello("server", secrets(7));
      const [offer] = await python(CLIENT);
      server.handle(frame(offer!));
      const reader = new FrameReader(lengthPrefixed(text()));
      const [choice, ours] = [...reader.push(server.takeOutput())];
      const [, expected, theirs] = await python(
        CLIENT,
        choice!,
        key ?? "portolan/1",
      );
      assertEquals(
        JSON.parse(ours!.slice(17)),
        JSON.parse(expected!.slice(17)),
      );
      server.handle(frame(theirs!));
      assertEquals(server.outcome?.agreement?.maxFrameBytes, 65536);
    }
  },
});

/** Inflates the payload in its second argument, and compresses what came out again. */
const COMPRESSOR = `
import gzip, sys, zlib
module = {"gzip": gzip, "deflate": zlib}[sys.argv[1]]
frame = bytes.fromhex(sys.argv[2])
at, length = 1, 0
while True:
    length |= (frame[at] & 127) << 7 * (at - 1)
    at += 1
    if frame[at - 1] < 128: break
text = module.decompress(frame[at:])
assert len(text) == length
print(text.decode())
print((frame[:at] + module.compress(text, 9)).hex())
`;

Deno.test({
  name: "compressed() reads what Python compressed, and Python what it did",
  ignore,
  async fn() {
    const message = Array.from({ length: 90 }, (_, i) => `watch ${i}`).join();
    for (const algorithm of ["gzip", "deflate"] as const) {
      const codec = compressed(text(), { algorithm });
      const writer = new ByteWriter();
      codec.encode(message, writer);
      const digits = writer.view().toHex();
      const [read, again] = await python(COMPRESSOR, algorithm, digits);
      assertEquals(read, message);
      assertEquals(codec.decode(Uint8Array.fromHex(again!)), message);
    }
  },
});
