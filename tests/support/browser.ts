import {
  byKey,
  type Client,
  connect,
  json,
  lengthPrefixed,
} from "../../mod.ts";
import { waitUntil } from "./wait.ts";

/** The browser that is tested with. */
export const CHROMIUM = "/usr/bin/chromium";

/** Starts a browser without a window at `url`; ends it and what it wrote when disposed. */
export async function browse(
  url: string,
  flags: readonly string[] = [],
): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = await Deno.makeTempDir({ prefix: "portolan-" });
  const child = new Deno.Command(CHROMIUM, {
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      `--user-data-dir=${folder}`,
      ...flags,
      url,
    ],
    env: { HOME: folder },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    folder,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      // Its helpers may write for a moment longer.
      await Deno.remove(folder, { recursive: true }).catch(() => {});
    },
  };
}

/** What is said on the debugging port, in either direction; an event has no number. */
interface Message {
  id: number;
  method?: string;
  params?: object;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** A page in a browser, spoken to over its debugging port: a WebSocket server that nobody here wrote. */
export class Page implements AsyncDisposable {
  readonly #browser: AsyncDisposable;
  readonly #client: Client<Message>;
  #lastId = 0;

  private constructor(
    browser: AsyncDisposable,
    client: Client<Message>,
  ) {
    this.#browser = browser;
    this.#client = client;
  }

  /** Opens `url` in a browser of its own. */
  static async open(url: string): Promise<Page> {
    const browser = await browse(url, ["--remote-debugging-port=0"]);
    const portFile = `${browser.folder}/DevToolsActivePort`;
    let port: string | undefined;
    await waitUntil("the browser", () => {
      try {
        port = Deno.readTextFileSync(portFile).split("\n")[0];
      } catch {
        // It is not there yet.
      }
      return port !== undefined && port !== "";
    }, 30_000);
    const response = await fetch(`http://127.0.0.1:${port}/json`);
    const targets: { type: string; webSocketDebuggerUrl: string }[] =
      await response.json();
    const page = targets.find(({ type }) => type === "page");
    const client = await connect<Message>({
      to: page!.webSocketDebuggerUrl,
      wire: lengthPrefixed(json<Message>(), { maxFrameBytes: 1 << 24 }),
      correlate: byKey("id"),
      message: () => {},
    });
    return new Page(browser, client);
  }

  async #call(
    method: string,
    params: object,
  ): Promise<Record<string, unknown>> {
    const { result, error } = await this.#client.request({
      id: ++this.#lastId,
      method,
      params,
    }, { timeoutMs: 30_000 });
    if (result === undefined) {
      throw new Error(`Cannot ${method}`, { cause: error });
    }
    return result;
  }

  /** Runs an expression in the page; waits for its promise. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) {
      throw new Error("Cannot evaluate", { cause: exceptionDetails });
    }
    return (result as { value?: unknown }).value;
  }

  /** Resolves once an expression is true; while the page loads there may be nothing that it could be asked of. */
  async until(what: string, expression: string): Promise<void> {
    const untilMs = performance.now() + 30_000;
    while (await this.evaluate(expression).catch(() => false) !== true) {
      if (performance.now() > untilMs) throw new Error(`Cannot see ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** What the page looks like, as a PNG file's bytes. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.#call("Page.captureScreenshot", {});
    return Uint8Array.fromBase64(String(data));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#browser[Symbol.asyncDispose]();
  }
}
