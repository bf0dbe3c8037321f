import { assertEquals } from "@std/assert";
import {
  exampleFaults,
  linkFaults,
  openingFaults,
} from "../../../tools/check_docs.ts";

function documented(kind: string, ...tags: { kind: string; doc?: string }[]) {
  const declarations = [{ kind, jsDoc: { tags } }];
  return {
    nodes: { "file:///mod.ts": { symbols: [{ name: "x", declarations }] } },
  };
}

Deno.test("exampleFaults() finds a public function without an example", () => {
  assertEquals(exampleFaults(documented("function")), ["x: has no @example"]);
  assertEquals(exampleFaults(documented("class")), ["x: has no @example"]);
  assertEquals(exampleFaults(documented("interface")), []);
});

Deno.test("exampleFaults() finds an example that asserts nothing", () => {
  const example = (doc: string) =>
    exampleFaults(documented("function", { kind: "example", doc }));
  assertEquals(example("```ts\nx();\n```"), [
    "x: no @example asserts anything",
  ]);
  assertEquals(example("```ts\nassertEquals(x(), 1);\n```"), []);
});

function links(text: string): string[] {
  const files: Record<string, string> = {
    "docs/a.md": text,
    "docs/b.md": "# B\n\n## Two `words`\n\n```sh\n# not a heading\n```\n",
    "docs": "",
    "mod.ts": "",
  };
  return linkFaults("docs/a.md", (path) => files[path]);
}

Deno.test("linkFaults() finds a link to a file that does not exist", () => {
  assertEquals(links("[gone](gone.md)"), ["docs/a.md: gone.md does not exist"]);
  assertEquals(links("see [it]\n\n[it]: ../gone.ts"), [
    "docs/a.md: ../gone.ts does not exist",
  ]);
});

Deno.test("linkFaults() finds a link to a heading that does not exist", () => {
  assertEquals(links("[b](b.md#three)"), [
    "docs/a.md: b.md#three: there is no such heading",
  ]);
  assertEquals(links("[b](b.md#not-a-heading)").length, 1);
  assertEquals(links("[here](#nowhere)").length, 1);
});

Deno.test("linkFaults() accepts links that lead somewhere", () => {
  const text = "# A\n[b](b.md) [c](./b.md#two-words) [d](../mod.ts) [e](#a) " +
    "[web](https://example.com/x) `[code](gone.md)`\n\n" +
    "```md\n[fence](gone.md)\n```\n";
  assertEquals(links(text), []);
});

Deno.test("openingFaults() finds a guide that opens without a command", () => {
  const late = "# Guide\n\nText.\n\n## Later\n\n```sh\ndeno task hub\n```\n";
  assertEquals(openingFaults("docs/a.md", late).length, 1);
  const early = "# Guide\n\nText.\n\n```sh\ndeno task hub\n```\n\n## Later\n";
  assertEquals(openingFaults("docs/a.md", early), []);
});
