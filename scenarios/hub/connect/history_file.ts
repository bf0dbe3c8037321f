/**
 * Lines typed in earlier sessions. Without permission to keep them there are
 * none: nothing is asked and nothing fails.
 *
 * @module
 */

const FOLDER = ".portolan";
const FILE = `${FOLDER}/connect_history`;
const MAX_LINES = 1000;

/** The lines, oldest first. */
export async function loadHistory(): Promise<string[]> {
  if (!await granted("read")) return [];
  try {
    return (await Deno.readTextFile(FILE)).split("\n").filter(Boolean)
      .map((line) => String(JSON.parse(line)));
  } catch {
    return [];
  }
}

/** Keeps the last lines, for their owner alone. */
export async function saveHistory(lines: readonly string[]): Promise<void> {
  if (!await granted("write")) return;
  const text = lines.slice(-MAX_LINES).map((line) => JSON.stringify(line))
    .join("\n");
  try {
    await Deno.mkdir(FOLDER, { recursive: true });
    await Deno.writeTextFile(FILE, `${text}\n`, { mode: 0o600 });
  } catch {
    // A disk that is full or read-only is no reason to fail at the end.
  }
}

async function granted(name: "read" | "write"): Promise<boolean> {
  const { state } = await Deno.permissions.query({ name, path: FOLDER });
  return state === "granted";
}
