/**
 * What the libraries cost that we call often: logs, and the width of text.
 *
 *     deno bench --allow-read=/tmp --allow-write=/tmp benches/micro/dependencies.ts
 *
 * @module
 */

import { unicodeWidth } from "@std/cli";
import { BaseHandler, FileHandler, getLogger, setup } from "@std/log";

class NullHandler extends BaseHandler {
  override open() {
    return () => {};
  }
}

const filename = await Deno.makeTempFile({ dir: "/tmp", suffix: ".log" });
addEventListener("unload", () => Deno.removeSync(filename));
setup({
  handlers: {
    nowhere: new NullHandler("DEBUG"),
    file: new FileHandler("DEBUG", { filename }),
  },
  loggers: {
    quiet: { level: "INFO", handlers: ["nowhere"] },
    file: { level: "INFO", handlers: ["file"] },
  },
});
const quiet = getLogger("quiet");
const file = getLogger("file");

Deno.bench("a call below the level", { group: "log" }, () => {
  quiet.debug("{count} clients", { count: 2 });
});
Deno.bench("a record", { group: "log" }, () => {
  quiet.info("{count} clients", { count: 2 });
});
Deno.bench("a record in a file", { group: "log" }, () => {
  file.info("{count} clients", { count: 2 });
});

for (const text of ["portolan", "日本語テスト", "👩‍👩‍👧 and é"]) {
  Deno.bench(`the width of ${text}`, { group: "text" }, () => {
    unicodeWidth(text);
  });
}
