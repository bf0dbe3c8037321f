import { assertEquals } from "@std/assert";
import { json } from "../../src/proto/codec/json.ts";
import { mutate } from "../../src/proto/codec_kit/mutate.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { lines } from "../../src/proto/framing/delimited.ts";
import { negotiated } from "../../src/proto/hello.ts";
import { HelloError } from "../../src/proto/hello/error.ts";
import { seededRandom } from "../../src/bytes/random.ts";
import { sayHello, secrets } from "../support/hello.ts";
import { checkProperty, fc } from "../support/property.ts";

const wires = [lengthPrefixed, lines].map((framing) =>
  negotiated({
    framing,
    versions: [1, 2, 3],
    codecs: [json()],
    compressions: ["zstd", "gzip", "none"],
    checksums: ["crc32c", "none"],
  })
);

Deno.test("two hellos agree on the same thing or on nothing when bytes change on their way", () => {
  const cases = fc.tuple(
    fc.constantFrom(...wires),
    fc.integer({ min: 0, max: 2 }),
    fc.nat(),
  );
  checkProperty(cases, ([wire, changedFlight, seed]) => {
    const random = seededRandom(seed);
    let flight = 0;
    let changed = false;
    const said = sayHello(wire, wire, (bytes) => {
      if (flight++ !== changedFlight) return bytes;
      const mutant = mutate(bytes, random);
      changed = mutant.join() !== bytes.join();
      return mutant;
    });
    const { client, server } = said;
    if (client.outcome !== undefined && server.outcome !== undefined) {
      assertEquals(client.outcome.agreement, server.outcome.agreement);
      assertEquals(client.outcome.agreement?.version, 3);
    } else {
      assertEquals(changed, true);
    }
  }, 2000);
});

Deno.test("Hello answers random bytes with HelloErrors alone, and holds no more than a frame", () => {
  const hostile = fc.array(
    fc.oneof(
      fc.constantFrom("portolan/1 ", "offer ", "choice ", "proof ", "{", "}"),
      fc.constantFrom('"versions":[1]', ",", '"nonce":', "\n", "\0\0\0\x20"),
      fc.string({ maxLength: 20 }),
    ),
    { maxLength: 30 },
  );
  checkProperty(
    fc.tuple(
      fc.constantFrom(...wires),
      fc.constantFrom("client" as const, "server" as const),
      fc.array(hostile, { maxLength: 5 }),
    ),
    ([wire, role, chunks]) => {
      const hello = wire.hello(role, secrets(1));
      try {
        for (const chunk of chunks) {
          hello.handle(new TextEncoder().encode(chunk.join("")));
        }
        hello.finish();
      } catch (error) {
        if (!(error instanceof HelloError)) throw error;
      }
      assertEquals(hello.outcome, undefined);
    },
    1000,
  );
});
