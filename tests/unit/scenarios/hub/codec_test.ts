import { assertEquals } from "@std/assert";
import { ByteWriter } from "../../../../mod.ts";
import { hubJson } from "../../../../scenarios/hub/codec.ts";
import type { FromHub } from "../../../../scenarios/hub/messages.ts";

/** What a hub that gives a ping's timestamp back would write. */
function returned(ping: string): string {
  const codec = hubJson();
  const message = codec.decode(new TextEncoder().encode(ping));
  const writer = new ByteWriter();
  const pong = {
    type: "pong",
    ping_timestamp: "timestamp" in message ? message.timestamp : null,
  };
  codec.encode(pong as FromHub, writer);
  return new TextDecoder().decode(writer.view());
}

Deno.test("hubJson() gives a ping's timestamp back digit by digit", () => {
  for (const timestamp of ["1763640000123456789", "-9007199254740993", "7"]) {
    assertEquals(
      returned(`{"type":"ping","timestamp": ${timestamp}}`),
      `{"type":"pong","ping_timestamp":${timestamp}}`,
    );
  }
});

Deno.test("hubJson() is not misled by another timestamp in the message", () => {
  assertEquals(
    returned(
      '{"type":"ping","x":{"timestamp":1},"timestamp":1763640000123456789}',
    ),
    '{"type":"pong","ping_timestamp":1763640000123456789}',
  );
});
