/**
 * Where the characters of a long line are on the screen.
 *
 * @module
 */

import { displayWidth } from "./text.ts";

/** A place on the screen, counted from 0 at the start of the prompt. */
export interface ScreenPosition {
  /** Rows below the prompt's. */
  row: number;
  /** Columns from the left edge. */
  column: number;
}

/**
 * Lays out `cells` as a terminal does that wraps at `columns`: a wide
 * character that would be cut goes to the next row, and a full row moves the
 * cursor to the next. Returns a position for each cell and one for the end.
 *
 * @example
 * ```ts
 * import { layoutLine } from "./line_layout.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(layoutLine(["a", "中", "b"], 2, 4), [
 *   { row: 0, column: 2 },
 *   { row: 1, column: 0 },
 *   { row: 1, column: 2 },
 *   { row: 1, column: 3 },
 * ]);
 * ```
 */
export function layoutLine(
  cells: readonly string[],
  startColumn: number,
  columns: number,
): ScreenPosition[] {
  const positions: ScreenPosition[] = [];
  let row = 0;
  let column = startColumn;
  for (const cell of cells) {
    const width = displayWidth(cell);
    if (column + width > columns) {
      row++;
      column = 0;
    }
    positions.push({ row, column });
    column += width;
  }
  const full = column >= columns;
  positions.push(full ? { row: row + 1, column: 0 } : { row, column });
  return positions;
}

/** The cells as they are shown: a line break inside the line has a sign. */
export function visibleCell(character: string): string {
  return character === "\n" ? "↵" : character;
}
