import { assertEquals, assertStringIncludes } from "@std/assert";

/** Checks a core of one line as the gate does. */
async function checkCore(line: string): Promise<{ ok: boolean; text: string }> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/core.ts`, line);
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--config", "tools/purity.json", `${folder}/core.ts`],
      env: { NO_COLOR: "1" },
    }).output();
    return { ok: success, text: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("purity.json refuses every global of a host in a core", async () => {
  const names = [
    "Deno",
    "setTimeout",
    "performance",
    "crypto",
    "fetch",
    "document",
    "process",
  ];
  const { ok, text } = await checkCore(`export const all = [${names}];`);
  assertEquals(ok, false);
  for (const name of names) {
    assertStringIncludes(text, `Cannot find name '${name}'`);
  }
});

Deno.test("purity.json accepts text encoding and the language itself", async () => {
  const { ok, text } = await checkCore(
    "export const x = new TextEncoder().encode('a'), y = new Map<string, Uint8Array>();",
  );
  assertEquals(ok, true, text);
});
