import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  JsonFile,
  type JsonFileOptions,
} from "../../../src/security/json_file.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const LIST: JsonFileOptions<string[]> = {
  create: true,
  parse: (json) => Object.keys(json as object),
  format: (names) => Object.fromEntries(names.map((name) => [name, 1])),
};

Deno.test("JsonFile.read() reads the file again only when it has changed", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/list.json`;
  await Deno.writeTextFile(path, '{"a":1}');
  let parsed = 0;
  const file = await JsonFile.open(path, {
    ...LIST,
    parse: (json) => (parsed++, LIST.parse(json)),
  });
  for (let n = 0; n < 5; n++) assertEquals(await file.read(), ["a"]);
  assertEquals(parsed, 1);
  await Deno.writeTextFile(path, '{"a":1,"b":1}');
  for (let n = 0; n < 5; n++) assertEquals(await file.read(), ["a", "b"]);
  assertEquals(parsed, 2);
});

Deno.test("JsonFile.read() takes a file that another empties, to write it anew, for no value", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/list.json`;
  const faults: string[] = [];
  const file = await JsonFile.open(path, {
    ...LIST,
    onFault: ({ message }) => faults.push(message),
  });
  await Deno.writeTextFile(path, "");
  assertEquals(await file.read(), []);
  await file.update((names) => names.push("a"));
  assertEquals(faults, []);
  await Deno.writeTextFile(path, "");
  assertEquals(await file.read(), ["a"]);
  assertEquals(faults, [`Cannot use "${path}": It is empty`]);
  await assertRejects(() => file.update((names) => names.push("b")), Error);
  await Deno.writeTextFile(path, '{"b":1}');
  assertEquals(await file.read(), ["b"]);
});

Deno.test("JsonFile.update() changes all or nothing, and leaves no other file", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/list.json`;
  const file = await JsonFile.open(path, LIST);
  await file.update((names) => names.push("a"));
  const before = await Deno.readTextFile(path);
  await assertRejects(
    () =>
      file.update((names) => {
        names.push("b");
        throw new Error("changed my mind");
      }),
    Error,
    "changed my mind",
  );
  assertEquals(await Deno.readTextFile(path), before);
  assertEquals(await file.read(), ["a"]);
  // The lock was given back.
  await file.update((names) => names.push("c"));
  assertEquals(await file.read(), ["a", "c"]);
  const files = await Array.fromAsync(Deno.readDir(folder.path));
  assertEquals(files.map(({ name }) => name), ["list.json"]);
});

Deno.test("JsonFile.read() never sees half of a file while another writes", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/list.json`;
  const faults: Error[] = [];
  const options = { ...LIST, onFault: (error: Error) => faults.push(error) };
  const writer = await JsonFile.open(path, options);
  await writer.update((names) => names.push("0"));
  const reader = await JsonFile.open(path, options);
  let done = false;
  const writing = (async () => {
    for (let n = 1; n <= 100; n++) {
      await writer.update((names) => names.push(`${n} ${"x".repeat(1000)}`));
    }
    done = true;
  })();
  let last = 0;
  while (!done) {
    const { length } = await reader.read();
    assert(length >= last, `${length} after ${last}`);
    last = length;
  }
  await writing;
  assertEquals((await reader.read()).length, 101);
  assertEquals(faults, []);
});

Deno.test("JsonFile.open() says what it cannot use", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/list.json`;
  const { create: _create, ...existing } = LIST;
  await assertRejects(() => JsonFile.open(path, existing), Error, path);
  await assertRejects(
    () => JsonFile.open(folder.path, LIST),
    Error,
    folder.path,
  );
  const none = await JsonFile.open(path, LIST);
  assertEquals(await none.read(), []);
});
