import { assertEquals } from "@std/assert";
import { graphemes } from "../../../src/cli/text.ts";
import { checkProperty, fc } from "../../support/property.ts";
import { Screen } from "../../support/screen.ts";
import { Typist } from "../../support/typist.ts";

const PROMPT = "> ";
const MAX_CHARACTERS = 40;
const ROWS = 14;

/** A line editor that anyone can see is right, and all that was shown. */
class Model {
  left: string[] = [];
  right: string[] = [];
  shown = "";

  type(input: string): void {
    if (input === "\x1b[D") this.right.unshift(...this.left.splice(-1));
    else if (input === "\x1b[C") this.left.push(...this.right.splice(0, 1));
    else if (input === "\x1b[H") this.right.unshift(...this.left.splice(0));
    else if (input === "\x1b[F") this.left.push(...this.right.splice(0));
    else if (input === "\x7f") this.left.pop();
    else if (input === "\x1b[3~") this.right.shift();
    else if (input === "\x15") this.left = [];
    else if (input === "\x0b") this.right = [];
    else if (input === "\r") this.enter();
    else this.left = graphemes(this.left.join("") + input);
  }

  enter(): void {
    this.shown += `${PROMPT}${this.left.join("")}${this.right.join("")}\r\n`;
    this.left = [];
    this.right = [];
  }

  /** What the screen must show at this width. */
  screen(columns: number): Screen {
    const screen = new Screen(columns, ROWS);
    screen.write(
      `${this.shown}${PROMPT}${this.left.join("")}${this.right.join("")}`,
    );
    return screen;
  }
}

type Step = { type: string } | { message: string } | { columns: number };

const keys = ["\x1b[D", "\x1b[C", "\x1b[H", "\x1b[F", "\x7f", "\x1b[3~"];
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.string({
        unit: fc.constantFrom("a", "b", " ", "港", "🚢", "e\u0301"),
        minLength: 1,
        maxLength: 8,
      }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constantFrom(...keys, ...keys) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom("\x15", "\x0b", "\r") }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      message: fc.string({
        unit: fc.constantFrom("m", "港", " ", "\n"),
        maxLength: 30,
      }).map((text) => `*${text}*`),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ columns: fc.integer({ min: 8, max: 40 }) }),
  },
);

Deno.test("LineEditor shows the same as a model after any keys, messages and resizes", () => {
  checkProperty(fc.array(step, { maxLength: 40 }), (steps) => {
    const typist = new Typist({ prompt: PROMPT, columns: 20, rows: ROWS });
    const model = new Model();
    for (const step of steps) {
      if ("message" in step) {
        typist.message(step.message);
        model.shown += step.message.replaceAll("\n", "\r\n") + "\r\n";
      } else if ("columns" in step) {
        typist.resize(step.columns, ROWS);
      } else if (
        model.left.length + model.right.length + step.type.length <
          MAX_CHARACTERS
      ) {
        typist.type(step.type);
        model.type(step.type);
      }
      const line = [...model.left, ...model.right].join("");
      assertEquals(typist.editor.text, line);
      const expected = model.screen(typist.screen.columns);
      assertEquals(typist.screen.everything, expected.everything);
    }
  });
});

Deno.test("LineEditor puts the cursor where the next character appears", () => {
  const text = fc.string({
    unit: fc.constantFrom("a", "港", "e\u0301"),
    maxLength: 40,
  });
  const inputs = fc.record({
    text,
    lefts: fc.nat(40),
    columns: fc.integer({ min: 8, max: 20 }),
  });
  checkProperty(inputs, ({ text, lefts, columns }) => {
    const typist = new Typist({ prompt: PROMPT, columns, rows: ROWS });
    typist.type(text + "\x1b[D".repeat(lefts));
    const characters = graphemes(text);
    const at = Math.max(0, characters.length - lefts);
    const expected = new Screen(columns, ROWS);
    expected.write(PROMPT + characters.slice(0, at).join(""));
    const next = characters[at] ?? "x";
    expected.write(next);
    const width = next === "港" ? 2 : 1;
    const { cursor } = expected;
    const pending = expected.pendingWrap ? 1 : 0;
    assertEquals(typist.screen.cursor, {
      row: cursor.row,
      column: cursor.column + pending - width,
    });
  }, 1000);
});
