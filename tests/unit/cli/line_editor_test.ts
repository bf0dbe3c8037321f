import { assertEquals, assertGreater } from "@std/assert";
import { LineEditor } from "../../../src/cli/line_editor.ts";
import { Typist } from "../../support/typist.ts";

const LEFT = "\x1b[D";
const UP = "\x1b[A";
const DOWN = "\x1b[B";
const HOME = "\x1b[H";

Deno.test("LineEditor.feed() reports an entered line and starts another", () => {
  const typist = new Typist();
  assertEquals(typist.type("ahoy"), []);
  assertEquals(typist.screen.visible, ["> ahoy"]);
  assertEquals(typist.type("\r"), [{ type: "line", text: "ahoy" }]);
  assertEquals(typist.screen.visible, ["> ahoy", ">"]);
  assertEquals(typist.screen.cursor, { row: 1, column: 2 });
});

Deno.test("LineEditor.feed() reports every line of one read", () => {
  const typist = new Typist();
  assertEquals(typist.type("one\rtwo\rthr"), [
    { type: "line", text: "one" },
    { type: "line", text: "two" },
  ]);
  assertEquals(typist.screen.visible, ["> one", "> two", "> thr"]);
});

Deno.test("LineEditor.feed() writes only what is typed at the end", () => {
  const editor = new LineEditor();
  editor.draw();
  const output = editor.feed([{ name: "text", text: "a" }]).output;
  assertEquals(output, "a");
});

Deno.test("LineEditor.feed() inserts and deletes inside the line", () => {
  const typist = new Typist();
  typist.type(`prt${LEFT}${LEFT}o`);
  assertEquals(typist.screen.visible, ["> port"]);
  assertEquals(typist.screen.cursor, { row: 0, column: 4 });
  typist.type("\x7f\x1b[3~");
  assertEquals(typist.screen.visible, ["> pt"]);
});

Deno.test("LineEditor.feed() moves over wide characters as one", () => {
  const typist = new Typist();
  typist.type(`港口${LEFT}x`);
  assertEquals(typist.screen.visible, ["> 港x口"]);
  assertEquals(typist.screen.cursor, { row: 0, column: 5 });
  typist.type("\x7f\x7f");
  assertEquals(typist.screen.visible, ["> 口"]);
});

Deno.test("LineEditor.feed() joins an accent with the letter before it", () => {
  const typist = new Typist();
  typist.type("e");
  typist.type("\u0301x");
  assertEquals(typist.screen.visible, ["> e\u0301x"]);
  typist.type("\x7f\x7f");
  assertEquals(typist.screen.visible, [">"]);
});

Deno.test("LineEditor.feed() moves, kills and yanks words", () => {
  const typist = new Typist();
  typist.type("/to ann: see you");
  typist.type("\x1bb\x1bb\x0b");
  assertEquals(typist.editor.text, "/to ann: ");
  typist.type("\x17");
  assertEquals(typist.editor.text, "/to ");
  typist.type("bob \x19");
  assertEquals(typist.editor.text, "/to bob ann: ");
  typist.type("\x01\x1bd");
  assertEquals(typist.editor.text, " bob ann: ");
  typist.type("\x05\x15");
  assertEquals(typist.editor.text, "");
});

Deno.test("LineEditor wraps a long line and keeps the cursor in it", () => {
  const typist = new Typist({ columns: 10, rows: 5 });
  typist.type("abcdefghijklmnop");
  assertEquals(typist.screen.visible, ["> abcdefgh", "ijklmnop"]);
  assertEquals(typist.screen.cursor, { row: 1, column: 8 });
  typist.type(`${HOME}X`);
  assertEquals(typist.screen.visible, ["> Xabcdefg", "hijklmnop"]);
  assertEquals(typist.screen.cursor, { row: 0, column: 3 });
});

Deno.test("LineEditor moves the cursor to the next row when one is full", () => {
  const typist = new Typist({ columns: 10 });
  typist.type("abcdefgh");
  assertEquals(typist.screen.visible, ["> abcdefgh"]);
  assertEquals(typist.screen.cursor, { row: 1, column: 0 });
  typist.type("i");
  assertEquals(typist.screen.visible, ["> abcdefgh", "i"]);
  typist.type("\x7f\x7f");
  assertEquals(typist.screen.visible, ["> abcdefg"]);
  assertEquals(typist.screen.cursor, { row: 0, column: 9 });
});

Deno.test("LineEditor wraps a wide character that would be cut", () => {
  const typist = new Typist({ columns: 9 });
  typist.type("港口港口");
  assertEquals(typist.screen.visible, ["> 港口港", "口"]);
  assertEquals(typist.screen.cursor, { row: 1, column: 2 });
  typist.type(`${LEFT}${LEFT}`);
  assertEquals(typist.screen.cursor, { row: 0, column: 6 });
});

Deno.test("LineEditor shows the part around the cursor of a line taller than the screen", () => {
  const typist = new Typist({ columns: 10, rows: 3 });
  typist.type("0123456789".repeat(5));
  assertEquals(typist.screen.visible, ["8901234567", "8901234567", "89"]);
  typist.type(HOME);
  assertEquals(typist.screen.visible, [
    "> 01234567",
    "8901234567",
    "8901234567",
  ]);
  assertEquals(typist.screen.cursor, { row: 0, column: 2 });
});

Deno.test("LineEditor.printAbove() keeps the line being typed", () => {
  const typist = new Typist({ columns: 20, rows: 6 });
  typist.type("half a sent");
  typist.message("ann: hello");
  typist.message("two\nlines");
  assertEquals(typist.screen.visible, [
    "ann: hello",
    "two",
    "lines",
    "> half a sent",
  ]);
  assertEquals(typist.screen.cursor, { row: 3, column: 13 });
  assertEquals(typist.type("ence\r"), [{
    type: "line",
    text: "half a sentence",
  }]);
});

Deno.test("LineEditor.printAbove() keeps a line of several rows with the cursor in its middle", () => {
  const typist = new Typist({ columns: 10, rows: 6 });
  typist.type("abcdefghijklmnopqrst");
  typist.type(LEFT.repeat(9));
  const before = typist.screen.cursor;
  typist.message("12345678901234");
  typist.message("1234567890");
  assertEquals(typist.screen.visible, [
    "1234567890",
    "1234",
    "1234567890",
    "> abcdefgh",
    "ijklmnopqr",
    "st",
  ]);
  assertEquals(typist.screen.cursor, {
    row: before.row + 3,
    column: before.column,
  });
});

Deno.test("LineEditor.printAbove() scrolls messages up at the bottom of the screen", () => {
  const typist = new Typist({ columns: 10, rows: 3 });
  typist.type("line of two");
  for (let n = 1; n <= 5; n++) typist.message(`message ${n}`);
  assertEquals(typist.screen.visible, ["message 5", "> line of", "two"]);
  assertEquals(typist.screen.everything.slice(0, 5), [
    ...Array.from({ length: 5 }, (_, index) => `message ${index + 1}`),
  ]);
});

Deno.test("LineEditor.feed() recalls history and keeps the draft", () => {
  const typist = new Typist({ history: ["/stats"] });
  typist.type("/ping\r");
  typist.type("dra");
  typist.type(UP);
  assertEquals(typist.screen.visible.at(-1), "> /ping");
  typist.type(UP + UP + UP);
  assertEquals(typist.screen.visible.at(-1), "> /stats");
  typist.type(DOWN + DOWN + DOWN);
  assertEquals(typist.screen.visible.at(-1), "> dra");
  assertEquals(typist.editor.history, ["/stats", "/ping"]);
});

Deno.test("LineEditor.feed() searches the history backwards", () => {
  const typist = new Typist({ history: ["/echo one", "/ping", "/echo two"] });
  typist.type("draft\x12ech");
  assertEquals(typist.screen.visible, [`history "ech": /echo two`]);
  typist.type("\x12");
  assertEquals(typist.screen.visible, [`history "ech": /echo one`]);
  typist.type("\x07");
  assertEquals(typist.screen.visible, ["> draft"]);
  assertEquals(typist.type("\x12two\r"), [{ type: "line", text: "/echo two" }]);
  typist.type("\x12pix\x7f\x05!");
  assertEquals(typist.screen.visible.at(-1), "> /ping!");
});

Deno.test("LineEditor.feed() completes as far as all candidates agree", () => {
  const names = ["/stats ", "/status ", "/ping "];
  const typist = new Typist({
    complete: (typed) => ({
      from: 0,
      candidates: names.filter((name) => name.startsWith(typed)),
    }),
  });
  typist.type("/p\t");
  assertEquals(typist.editor.text, "/ping ");
  typist.type("\x15/st\t");
  assertEquals(typist.editor.text, "/stat");
  typist.type("\t");
  assertEquals(typist.screen.visible, ["/stats   /status", "> /stat"]);
  typist.type("x\t");
  assertEquals(typist.editor.text, "/statx");
});

Deno.test("LineEditor.feed() completes in the middle of a line", () => {
  const typist = new Typist({
    complete: (typed) => ({
      from: typed.lastIndexOf(" ") + 1,
      candidates: ["ann "],
    }),
  });
  typist.type(`/to a hello${"\x1bb"}${LEFT}\t`);
  assertEquals(typist.editor.text, "/to ann  hello");
  typist.type("!");
  assertEquals(typist.editor.text, "/to ann ! hello");
});

Deno.test("LineEditor.feed() shows a hint that is never part of the line", () => {
  const typist = new Typist({
    columns: 14,
    hint: (line) => line === "/to" ? " NAME TEXT" : "",
  });
  typist.type("/to");
  assertEquals(typist.screen.visible, ["> /to NAME T…"]);
  assertEquals(typist.screen.cursor, { row: 0, column: 5 });
  assertEquals(typist.type("\r"), [{ type: "line", text: "/to" }]);
  assertEquals(typist.screen.visible, ["> /to", ">"]);
});

Deno.test("LineEditor.feed() clears a line on Ctrl-C and reports it on an empty one", () => {
  const typist = new Typist();
  assertEquals(typist.type("oops\x03"), []);
  assertEquals(typist.screen.visible, ["> oops^C", ">"]);
  assertEquals(typist.type("\x03"), [{ type: "interrupt" }]);
});

Deno.test("LineEditor.feed() deletes on Ctrl-D and reports it on an empty line", () => {
  const typist = new Typist();
  assertEquals(typist.type(`ab${LEFT}\x04`), []);
  assertEquals(typist.editor.text, "a");
  assertEquals(typist.type("\x7f\x04"), [{ type: "end" }]);
});

Deno.test("LineEditor.feed() clears the screen on Ctrl-L", () => {
  const typist = new Typist({ columns: 20, rows: 4 });
  typist.message("old");
  typist.type("typed\x0c");
  assertEquals(typist.screen.visible, ["> typed"]);
});

Deno.test("LineEditor.feed() keeps the line breaks of a paste in one line", () => {
  const typist = new Typist();
  typist.type("\x1b[200~one\rtwo\r\x1b[201~");
  assertEquals(typist.screen.visible, ["> one↵two"]);
  assertEquals(typist.type("\r"), [{ type: "line", text: "one\ntwo" }]);
});

Deno.test("LineEditor.resize() draws the line anew in a narrower and a wider screen", () => {
  const typist = new Typist({ columns: 20, rows: 10 });
  typist.message("a message from ann");
  typist.type("a line that has two rows");
  typist.resize(12, 10);
  assertEquals(typist.screen.visible, [
    "a message fr",
    "om ann",
    "> a line tha",
    "t has two ro",
    "ws",
  ]);
  typist.resize(40, 10);
  assertEquals(typist.screen.visible, [
    "a message from ann",
    "> a line that has two rows",
  ]);
  assertEquals(typist.screen.cursor, { row: 1, column: 26 });
});

Deno.test("LineEditor.setPrompt() replaces the prompt and keeps the line", () => {
  const typist = new Typist();
  typist.type("text");
  typist.screen.write(typist.editor.setPrompt("\x1b[36mann\x1b[39m> "));
  assertEquals(typist.screen.visible, ["ann> text"]);
  assertEquals(typist.screen.cursor, { row: 0, column: 9 });
});

Deno.test("LineEditor takes a short prompt where the screen is narrow", () => {
  const typist = new Typist({ prompt: "somebody> ", columns: 10 });
  assertEquals(typist.screen.visible, [">"]);
});

Deno.test("LineEditor cuts an endless line", () => {
  const typist = new Typist({ rows: 5 });
  typist.type("x".repeat(100_000));
  assertEquals(typist.editor.text.length, 1 << 16);
  assertGreater(typist.screen.visible.length, 0);
});
