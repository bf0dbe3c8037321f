import { assert, assertEquals, assertRejects } from "@std/assert";
import { readSecret } from "../../../src/cli/read_secret.ts";

/** A standard input that brings these bytes. */
function fakeInput(chunks: (string | Uint8Array)[], terminal: boolean) {
  const raw: boolean[] = [];
  let shown = "";
  const options = {
    input: {
      read(buffer: Uint8Array): Promise<number | null> {
        const next = chunks.shift();
        if (next === undefined) return Promise.resolve(null);
        const bytes = typeof next === "string"
          ? new TextEncoder().encode(next)
          : next;
        buffer.set(bytes);
        return Promise.resolve(bytes.length);
      },
      isTerminal: () => terminal,
      setRaw: (mode: boolean) => void raw.push(mode),
    },
    write: (text: string) => void (shown += text),
  };
  return { options, raw, shown: () => shown };
}

Deno.test("readSecret() reads one line of a pipe, without its end", async () => {
  for (
    const [chunks, expected] of [
      [["mellon\nmore"], "mellon"],
      [["mell", "on\r\n"], "mellon"],
      [["mellon"], "mellon"],
      [[" spaces \n"], " spaces "],
      [[new Uint8Array([0xc3]), new Uint8Array([0xa9, 10])], "é"],
    ] as const
  ) {
    const { options, raw, shown } = fakeInput([...chunks], false);
    assertEquals(await readSecret("Password: ", options), expected);
    assertEquals([raw, shown()], [[], ""]);
  }
});

Deno.test("readSecret() shows nothing of what is typed, and edits it", async () => {
  for (
    const [chunks, expected] of [
      [["mel", "lon", "\r"], "mellon"],
      [["mex\x7fllon\r"], "mellon"],
      [["wrong\x15mellon\n"], "mellon"],
      [["é😀\x7f\r"], "é"],
    ] as const
  ) {
    const { options, raw, shown } = fakeInput([...chunks], true);
    assertEquals(await readSecret("Password: ", options), expected);
    assertEquals(raw, [true, false]);
    assertEquals(shown(), "Password: \r\n");
  }
});

Deno.test("readSecret() refuses when nothing is entered", async () => {
  for (
    const [chunks, terminal] of [
      [[], false],
      [["\n"], false],
      [["\r"], true],
      [["abc\x03"], true],
      [["abc\x04"], true],
    ] as const
  ) {
    const { options, raw } = fakeInput([...chunks], terminal);
    await assertRejects(
      () => readSecret("Password: ", options),
      Error,
      "nothing was entered",
    );
    assertEquals(raw, terminal ? [true, false] : []);
  }
});

Deno.test("readSecret() refuses what is no text or has no end", async () => {
  const binary = fakeInput([new Uint8Array([0xff, 10])], false);
  const error = await assertRejects(
    () => readSecret("Password: ", binary.options),
    Error,
  );
  assert(error.message.includes("UTF-8"));
  const endless = fakeInput(Array(100).fill("x".repeat(1024)), false);
  await assertRejects(
    () => readSecret("Password: ", endless.options),
    Error,
    "65536 bytes at most",
  );
});
