import { assert, assertEquals } from "@std/assert";
import { documents } from "../../tools/check_docs.ts";
import { taskCommands } from "../../tools/check_permissions.ts";

/** A command line that a document shows. */
interface Shown {
  where: string;
  words: string[];
}

/** The commands in the ```sh blocks of a document. */
function commands(path: string, markdown: string): Shown[] {
  const blocks = markdown.matchAll(/^```sh\n([^]*?)^```$/gm);
  return Array.from(blocks, ([, block = ""]) => block).flatMap((block) =>
    block.replaceAll("\\\n", " ").split("\n")
      .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
      .flatMap((line) => line.split(/\s*(?:&&|\|\|?|;|&)(?:\s+|$)/))
      .filter((line) => line !== "")
      .map((line) => ({ where: `${path}: ${line}`, words: line.split(/\s+/) }))
  );
}

/** The words after `deno`, however it is started. */
function denoArguments({ words }: Shown): string[] | undefined {
  const at = words.findIndex((word) => /^deno(@|$)/.test(word));
  const before = words.slice(0, at);
  const started = before.every((word) => /^(npx|-y|[A-Z_]+=.*)$/.test(word));
  return at >= 0 && started ? words.slice(at + 1) : undefined;
}

const config = JSON.parse(await Deno.readTextFile("deno.json"));
const tasks = new Map(taskCommands(config));
const shown: Shown[] = [];
for await (const path of documents()) {
  shown.push(...commands(path, await Deno.readTextFile(path)));
}

Deno.test("every task that a document shows exists", () => {
  for (const command of shown) {
    const [first, name] = denoArguments(command) ?? [];
    if (first === "task" && name !== undefined) {
      assert(tasks.has(name), command.where);
    }
  }
});

Deno.test("every program that a document runs with deno exists", async () => {
  for (const command of shown) {
    for (const word of denoArguments(command) ?? []) {
      if (/^[\w./]+\.ts$/.test(word)) {
        assert((await Deno.stat(word)).isFile, command.where);
      }
    }
  }
});

Deno.test("every document and the CI name the same version of Deno", async () => {
  const texts = [await Deno.readTextFile(".ci/run")];
  for await (const path of documents()) {
    texts.push(await Deno.readTextFile(path));
  }
  const versions = texts.flatMap((text) =>
    Array.from(text.matchAll(/\bdeno@([\d.]+\d)/g), ([, version]) => version)
  );
  assertEquals(new Set(versions).size, 1, versions.join(" "));
});

const WITH_COMMANDS = new Set(["cert", "link"]);

Deno.test("every flag that a document gives a task is in its --help", async () => {
  const flags = Map.groupBy(
    shown.flatMap((command) => {
      const [first, task, ...rest] = denoArguments(command) ?? [];
      return first !== "task" || task === undefined ? [] : rest
        .filter((word) => /^--[a-z]/.test(word))
        .map((word) => ({
          // A task with commands of its own has a help for each.
          task: WITH_COMMANDS.has(task) ? `${task} ${rest[0]}` : task,
          flag: word.replace(/=.*/, ""),
          command,
        }));
    }),
    ({ task }) => task,
  );
  for (const [task, uses] of flags) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "-q", ...task.split(" "), "--help"],
      env: { NO_COLOR: "1" },
    }).output();
    const help = new TextDecoder().decode(stdout);
    for (const { flag, command } of uses) {
      assert(
        new RegExp(`(^|[\\s,])${flag}\\b`, "m").test(help),
        `${command.where}: ${flag} is not in the help of ${task}:\n${help}`,
      );
    }
  }
});
