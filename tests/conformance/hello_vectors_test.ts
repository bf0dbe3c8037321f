// The vectors of docs/hello.md, read from there.
import { assert, assertEquals } from "@std/assert";
import { createHmac } from "node:crypto";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { checksummed } from "../../src/proto/codec/checksummed.ts";
import { compressed } from "../../src/proto/codec/compressed.ts";
import { json } from "../../src/proto/codec/json.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { negotiated } from "../../src/proto/hello.ts";
import { secrets } from "../support/hello.ts";
import { frame } from "../support/raw_client.ts";
import { utf8 } from "../support/three_ways.ts";

const document = await Deno.readTextFile("docs/hello.md");
/** The lines of each block, by name; a name is followed by two spaces. */
const blocks = Array.from(
  document.matchAll(/^```text\n([^]*?)^```$/gm),
  ([, block = ""]) =>
    new Map(
      block.trim().split("\n").map((line): [string, string] => {
        const [name = "", value = ""] = line.split(/ {2,}/);
        return [name, value];
      }),
    ),
);
const [plain, keyed, payloads] = blocks as [
  Map<string, string>,
  Map<string, string>,
  Map<string, string>,
];

function hello(key?: Uint8Array) {
  return negotiated({
    framing: lengthPrefixed,
    versions: [1, 2],
    codecs: [json()],
    compressions: ["zstd", "none"],
    checksums: ["crc32c", "none"],
    ...(key === undefined ? {} : { key }),
  });
}

Deno.test("the hello says what its document says", () => {
  for (
    const [vectors, key] of [[plain, undefined], [
      keyed,
      utf8("0123456789abcdef"),
    ]] as const
  ) {
    const client = hello(key).hello("client", secrets(1));
    const server = hello(key).hello("server", secrets(2));
    const proof = (side: string) =>
      frame(`portolan/1 proof {"proof":"${vectors.get(`${side} proof`)}"}`);
    const offer = client.takeOutput();
    assertEquals(offer, frame(plain.get("offer")!));
    server.handle(offer);
    const choice = server.takeOutput();
    assertEquals(
      choice,
      new Uint8Array([...frame(plain.get("choice")!), ...proof("server")]),
    );
    client.handle(choice);
    assertEquals(client.takeOutput(), proof("client"));
  }
});

Deno.test("the hello's document says how a proof is made", () => {
  const message = new ByteWriter();
  message.utf8("portolan/1 server");
  for (const part of ["offer", "choice"]) {
    const payload = utf8(plain.get(part)!);
    message.u32(payload.length);
    message.set(payload);
  }
  for (
    const [vectors, key] of [[plain, "portolan/1"], [
      keyed,
      "0123456789abcdef",
    ]] as const
  ) {
    const proof = createHmac("sha256", key).update(message.view()).digest(
      "hex",
    );
    assertEquals(proof, vectors.get("server proof"));
  }
});

Deno.test("payloads are what the hello's document says", () => {
  const writer = new ByteWriter();
  checksummed(text()).encode("123456789", writer);
  assertEquals(writer.view().toHex(), payloads.get('crc32c "123456789"'));
  writer.truncate();
  checksummed(compressed(text(), { algorithm: "zstd" })).encode("ahoy", writer);
  assertEquals(writer.view().toHex(), payloads.get('zstd+crc32c "ahoy"'));
  for (const algorithm of ["gzip", "deflate", "brotli", "zstd"] as const) {
    const digits = payloads.get(algorithm);
    assert(digits !== undefined, algorithm);
    const codec = compressed(text(), { algorithm });
    assertEquals(codec.decode(Uint8Array.fromHex(digits)), "ahoy ".repeat(20));
  }
});
