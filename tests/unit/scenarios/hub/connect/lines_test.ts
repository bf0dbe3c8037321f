import { assertEquals } from "@std/assert";
import { Output } from "../../../../../mod.ts";
import { Chat } from "../../../../../scenarios/hub/connect/chat.ts";
import {
  completeLine,
  hintFor,
  runLine,
} from "../../../../../scenarios/hub/connect/lines.ts";
import { splitScript } from "../../../../../scenarios/hub/connect/interactive.ts";
import { startHub } from "../../../../../scenarios/hub/server.ts";

/** A conversation at a hub of its own, and what it prints. */
async function withChat(
  test: (chat: Chat, printed: string[]) => Promise<void>,
): Promise<void> {
  await using hub = await startHub({ listen: "memory:commands-test" });
  const printed: string[] = [];
  const output = new Output({
    write: (text) => printed.push(text.trimEnd()),
    writeError: (text) => printed.push(`error: ${text.trimEnd()}`),
  });
  await using chat = await Chat.open({ to: hub.endpoints[0]! }, output);
  await test(chat, printed);
}

Deno.test("runLine() says a line without a slash to everybody", () =>
  withChat(async (chat, printed) => {
    assertEquals(await runLine(chat, "ahoy"), "done");
    assertEquals(await runLine(chat, "//not a command"), "done");
    assertEquals(await runLine(chat, "   "), "done");
    assertEquals(printed, ["sent to nobody else", "sent to nobody else"]);
  }));

Deno.test("runLine() says lines to whom /to chose", () =>
  withChat(async (chat, printed) => {
    await runLine(chat, "/join harbour");
    await runLine(chat, "/to #harbour");
    await runLine(chat, "moored");
    await runLine(chat, "/leave #harbour");
    await runLine(chat, "ahoy");
    assertEquals(printed.slice(1), [
      "What you type is for #harbour from here on",
      "sent to nobody else in #harbour",
      "You left #harbour",
      "sent to nobody else",
    ]);
  }));

Deno.test("runLine() takes names with spaces in quotes", () =>
  withChat(async (chat, printed) => {
    await runLine(chat, "/name Ann Lee");
    await runLine(chat, '/to "ann lee" a note');
    assertEquals(printed, [
      "You are Ann Lee",
      "Ann Lee to you: a note",
      "sent to ann lee",
    ]);
  }));

Deno.test("runLine() says how a command is used", () =>
  withChat(async (chat, printed) => {
    for (
      const line of ["/echo", "/name", "/custom 1 2", "/wait soon", "/nope"]
    ) {
      assertEquals(await runLine(chat, line), "failed");
    }
    assertEquals(printed, [
      "error: Use: /echo TEXT",
      "error: Use: /name NAME",
      "error: Use: /custom TYPE [JSON]",
      'error: Use: /wait SECONDS: "soon" is no number',
      "error: There is no command /nope: did you mean /name?",
    ]);
  }));

Deno.test("runLine() is stopped by its signal", () =>
  withChat(async (chat, printed) => {
    const controller = new AbortController();
    const running = runLine(chat, "/wait 100", { signal: controller.signal });
    controller.abort(new Error("Interrupted"));
    assertEquals(await running, "failed");
    assertEquals(printed, ["error: Interrupted"]);
  }));

Deno.test("completeLine() knows commands, people and rooms", () =>
  withChat(async (chat) => {
    chat.meet("bob");
    chat.meet("Ann Lee");
    chat.rooms.add("harbour");
    const complete = (typed: string) => completeLine(chat, typed);
    assertEquals(complete("/st"), { from: 0, candidates: ["/stats "] });
    assertEquals(complete("/l").candidates, ["/list ", "/leave "]);
    assertEquals(complete("/to "), {
      from: 4,
      candidates: ["#harbour ", "bob ", '"Ann Lee" '],
    });
    assertEquals(complete("/to B"), { from: 4, candidates: ["bob "] });
    assertEquals(complete("/leave h").candidates, ["harbour "]);
    assertEquals(complete("/echo h").candidates, []);
    assertEquals(complete("/constructor h").candidates, []);
    assertEquals(complete("hello").candidates, []);
    await Promise.resolve();
  }));

Deno.test("hintFor() shows what follows a command", () => {
  assertEquals(hintFor("/echo"), " TEXT");
  assertEquals(hintFor("/echo "), "TEXT");
  assertEquals(hintFor("/echo x"), "");
  assertEquals(hintFor("/ping"), "");
  assertEquals(hintFor("/ech"), "");
  assertEquals(hintFor("/constructor"), "");
  assertEquals(hintFor("echo"), "");
});

Deno.test("splitScript() ends lines at semicolons before a space", () => {
  assertEquals(splitScript("/ping; /echo a;b;\n\n hello ;"), [
    "/ping",
    "/echo a;b",
    "hello",
  ]);
  assertEquals(splitScript(""), []);
});
