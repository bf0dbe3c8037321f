/**
 * One message in JSON and in MessagePack, through our codecs and through the
 * libraries without their checks.
 *
 *     deno bench benches/micro/codecs.ts
 *
 * @module
 */

import { decode, encode } from "@std/msgpack";
import { ByteWriter, type Codec, json, msgpack } from "../../mod.ts";

const message = {
  type: "echo_response",
  content: "x".repeat(64),
  timestamp: "2024-01-01T12:00:00.001Z",
  echoed_by: "hub",
};

const writer = new ByteWriter();

function encoded(codec: Codec<unknown>): Uint8Array {
  writer.truncate();
  codec.encode(message, writer);
  return writer.view().slice();
}

const codecs = [json(), msgpack()];
const text = JSON.stringify(message);

Deno.bench("JSON.stringify", { group: "encode" }, () => {
  JSON.stringify(message);
});
for (const codec of codecs) {
  Deno.bench(`${codec.name}()`, { group: "encode" }, () => {
    writer.truncate();
    codec.encode(message, writer);
  });
}
Deno.bench("@std/msgpack", { group: "encode" }, () => {
  encode(message);
});

Deno.bench("JSON.parse", { group: "decode" }, () => {
  JSON.parse(text);
});
for (const codec of codecs) {
  const bytes = encoded(codec);
  Deno.bench(`${codec.name}()`, { group: "decode" }, () => {
    codec.decode(bytes);
  });
}
const packed = encode(message);
Deno.bench("@std/msgpack", { group: "decode" }, () => {
  decode(packed);
});
