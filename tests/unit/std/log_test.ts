import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  BaseHandler,
  FileHandler,
  getLogger,
  jsonLinesFormatter,
  type LevelName,
  LogLevels,
  type LogRecord,
  RotatingFileHandler,
  setup,
  type Sink,
} from "@std/log";

class MemoryHandler extends BaseHandler {
  readonly lines: string[] = [];
  disposed = false;

  override open(): Sink {
    const sink = ({ level, category, message }: LogRecord) =>
      void this.lines.push(`${level} ${category}: ${message.join("")}`);
    return Object.assign(sink, {
      [Symbol.dispose]: () => void (this.disposed = true),
    });
  }
}

function configured(
  handlerLevel: LevelName,
  level: LevelName,
  name = "default",
): string[] {
  const memory = new MemoryHandler(handlerLevel);
  setup({
    handlers: { memory },
    loggers: { [name]: { level, handlers: ["memory"] } },
  });
  return memory.lines;
}

function logAll(name?: string): void {
  const logger = getLogger(name);
  logger.debug("d");
  logger.info("i");
  logger.warn("w");
  logger.error("e");
  logger.critical("c");
}

Deno.test("setup() filters by the logger's level and the handler's", () => {
  const byLogger = configured("NOTSET", "ERROR");
  logAll();
  assertEquals(byLogger, ["error : e", "fatal : c"]);
  const byHandler = configured("WARN", "NOTSET");
  logAll();
  assertEquals(byHandler, ["warning : w", "error : e", "fatal : c"]);
  setup({});
});

Deno.test("getLogger() finds the nearest configured name above it", () => {
  const hub = new MemoryHandler("INFO");
  const rest = new MemoryHandler("INFO");
  setup({
    handlers: { hub, rest },
    loggers: {
      default: { handlers: ["rest"] },
      hub: { handlers: ["hub"] },
    },
  });
  getLogger("hub").info("1");
  getLogger("hub.rooms").info("2");
  getLogger("other").info("3");
  getLogger().info("4");
  assertEquals(hub.lines, ["info hub: 1", "info hub,rooms: 2"]);
  assertEquals(rest.lines, ["info other: 3", "info : 4"]);
  setup({});
});

Deno.test("info() fills the template from the properties alone", () => {
  const lines = configured("INFO", "INFO");
  getLogger().info("{count} from {name}", { count: 2, name: "{count}" });
  assertEquals(lines, ["info : 2 from {count}"]);
  setup({});
});

Deno.test("info() takes a message without properties as it is", () => {
  const lines = configured("NOTSET", "NOTSET");
  getLogger().info('got {"type":"ping"}');
  assertEquals(lines, ['info : got {"type":"ping"}']);
  setup({});
});

Deno.test("setup() closes the handlers of the former configuration", () => {
  const memory = new MemoryHandler("INFO");
  setup({
    handlers: { memory },
    loggers: { default: { handlers: ["memory"] } },
  });
  setup({});
  assert(memory.disposed);
  getLogger().info("to nobody");
  assertEquals(memory.lines, []);
});

Deno.test("setup() throws when a logger names no handler", () => {
  assertThrows(() => setup({ loggers: { default: { handlers: ["none"] } } }));
  setup({});
});

async function inFolder(use: (folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    use(folder);
  } finally {
    setup({});
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("FileHandler writes each record at once, peers' text escaped", async () => {
  await inFolder((folder) => {
    const filename = `${folder}/hub.log`;
    setup({
      handlers: { file: new FileHandler("INFO", { filename }) },
      loggers: { default: { handlers: ["file"] } },
    });
    getLogger("hub").warn("Peer says {text}", { text: "a\n\x1b[2Jb" });
    assertMatch(
      Deno.readTextFileSync(filename),
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARN hub: Peer says "a\\n\\x1b\[2Jb"\n$/,
    );
  });
});

Deno.test("FileHandler takes a formatter, such as JSON lines", async () => {
  await inFolder((folder) => {
    const filename = `${folder}/hub.jsonl`;
    const formatter = jsonLinesFormatter;
    setup({
      handlers: { file: new FileHandler("INFO", { filename, formatter }) },
      loggers: { hub: { handlers: ["file"] } },
    });
    getLogger("hub").info("Hello", { clients: 2 });
    const line = JSON.parse(Deno.readTextFileSync(filename));
    assertEquals(line.properties, { clients: 2 });
  });
});

Deno.test("RotatingFileHandler keeps the file and its backups small", async () => {
  await inFolder((folder) => {
    const filename = `${folder}/hub.log`;
    const options = { filename, maxBytes: 200, maxBackupCount: 2 };
    setup({
      handlers: { file: new RotatingFileHandler("INFO", options) },
      loggers: { default: { handlers: ["file"] } },
    });
    for (let i = 0; i < 40; i++) getLogger().info("Record {i}", { i });
    const files = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assertEquals(files, ["hub.log", "hub.log.1", "hub.log.2"]);
    for (const name of files) {
      const { size } = Deno.statSync(`${folder}/${name}`);
      assert(size <= 200, `${name} has ${size} bytes`);
    }
    assertMatch(Deno.readTextFileSync(filename), /Record 39\n$/);
  });
});

Deno.test("LogLevels rise", () => {
  const weights = Object.values(LogLevels);
  assertEquals(weights, weights.toSorted((a, b) => a - b));
});
