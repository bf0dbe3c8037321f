import { assert, assertEquals, assertRejects } from "@std/assert";
import { AuditError } from "../../../src/security/audit.ts";
import { auditFiles, openAuditLog } from "../../../src/security/audit_file.ts";
import { checkpointKey } from "../../../src/security/checkpoint.ts";
import { run, task } from "../../support/program.ts";

const SECRET = "0123456789abcdef0123456789abcdef";

/** A folder of its own, and what the command says about a log in it. */
async function inFolder(
  test: (path: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "portolan-audit-" });
  try {
    await test(`${folder}/audit.log`, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function verify(...args: string[]): Promise<[number, string]> {
  const { code, stdout, stderr } = await run(task("audit", "verify", ...args));
  return [code, (stdout + stderr).trim()];
}

async function write(path: string, count: number): Promise<void> {
  await using log = await openAuditLog(path);
  for (let n = 0; n < count; n++) {
    await log.record({ event: "logout", who: `user ${n}` });
  }
}

Deno.test("openAuditLog() makes a file of mode 600, and goes on with its chain", async () => {
  await inFolder(async (path) => {
    await write(path, 2);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    await Deno.chmod(path, 0o644);
    await write(path, 3);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    const [code, said] = await verify(path);
    assertEquals(code, 0);
    assert(said.startsWith("whole: records 1 to 5;"), said);
  });
});

Deno.test("openAuditLog() refuses a file that is written already, a folder and a name without one", async () => {
  await inFolder(async (path, folder) => {
    await using _log = await openAuditLog(path);
    await assertRejects(
      () => openAuditLog(path),
      AuditError,
      "another program writes it",
    );
    for (const bad of [folder, `${folder}/none/audit.log`]) {
      await assertRejects(() => openAuditLog(bad), AuditError, bad);
    }
  });
});

Deno.test("openAuditLog() goes on after any crash in the middle of a write", async () => {
  await inFolder(async (path) => {
    await write(path, 3);
    const whole = await Deno.readFile(path);
    const before = whole.lastIndexOf(10, whole.length - 2) + 1;
    for (let cut = before + 1; cut < whole.length; cut += 17) {
      await Deno.writeFile(path, whole.subarray(0, cut));
      {
        await using log = await openAuditLog(path);
        await log.record({ event: "logout", who: "after" });
      }
      const text = await Deno.readTextFile(path);
      const records = text.split("\n").filter((line) => line.endsWith('"}'))
        .map((line) => JSON.parse(line));
      const events = records.map(({ seq, event }) => `${seq} ${event}`);
      assertEquals(events, ["1 logout", "2 logout", "3 torn line", "4 logout"]);
    }
    const [code, said] = await verify(path);
    assertEquals([code, said.split("; ").slice(0, 2)], [0, [
      "whole: records 1 to 4",
      "1 torn by a crash, and noted",
    ]]);
  });
});

Deno.test("openAuditLog() goes on after a crash left rubbish", async () => {
  await inFolder(async (path) => {
    await write(path, 2);
    const rubbish = Uint8Array.of(0, 0xc3, 10, 0, 0xff, 10, 10);
    await Deno.writeFile(path, rubbish, { append: true });
    await write(path, 1);
    const [code, said] = await verify(path);
    assertEquals(code, 0, said);
    await Deno.writeFile(path, rubbish, { append: true });
    assertEquals(await verify(path), [
      1,
      `${path}:8: it does not end in a hash`,
    ]);
  });
});

Deno.test("openAuditLog() goes on where only torn lines are", async () => {
  await inFolder(async (path) => {
    await Deno.writeTextFile(path, '{"seq":1,"ti');
    await write(path, 1);
    const [code, said] = await verify(path);
    assertEquals(code, 0, said);
  });
});

Deno.test("openAuditLog() refuses a file that is no audit log", async () => {
  await inFolder(async (path) => {
    await Deno.writeTextFile(path, "no record\n".repeat(200_000));
    await assertRejects(
      () => openAuditLog(path),
      AuditError,
      "there is no record in its last 1048576 bytes",
    );
  });
});

Deno.test("openAuditLog() puts files aside by size, and the chain goes over all of them", async () => {
  await inFolder(async (path, folder) => {
    const options = { maxFileBytes: 1_000 };
    {
      await using log = await openAuditLog(path, options);
      for (let n = 0; n < 40; n++) {
        await log.record({ event: "logout", who: `user ${n}` });
      }
    }
    const files = await auditFiles(path);
    assert(files.length > 5, `${files}`);
    for (const file of files) {
      const { size, mode } = await Deno.stat(file);
      assert(size < 1_300, `${size}`);
      assertEquals(mode! & 0o777, 0o600);
    }
    const [code, said] = await verify(path);
    assertEquals(code, 0, said);
    assert(said.startsWith("whole: records 1 to 40"), said);
    // The order in which a shell names them.
    const names = Array.from(
      Deno.readDirSync(folder),
      ({ name }) => `${folder}/${name}`,
    ).sort();
    assertEquals((await verify(...names))[1], said);

    await Deno.remove(files[2]!);
    const [missingCode, missing] = await verify(path);
    assertEquals(missingCode, 1);
    assert(missing.startsWith(`${files[3]}:1: record `), missing);
  });
});

Deno.test("openAuditLog() goes on after a crash between two files, and keeps as many as it is told", async () => {
  await inFolder(async (path) => {
    const options = { maxFileBytes: 400, maxFiles: 2 };
    for (let n = 0; n < 12; n++) {
      await using log = await openAuditLog(path, options);
      await log.record({ event: "logout", who: "ada" });
    }
    assertEquals((await auditFiles(path)).length, 3);
    await Deno.rename(path, `${path}.000099`);
    await write(path, 1);
    const [code, said] = await verify(path);
    assertEquals(code, 0, said);
    assert(said.includes("to 13; those before"), said);
  });
});

Deno.test("openAuditLog() and the verifier notice an end that was taken away", async () => {
  await inFolder(async (path, folder) => {
    const key = `${folder}/audit.key`;
    await Deno.writeTextFile(key, `${SECRET}\n`);
    const options = { checkpointKey: checkpointKey(SECRET) };
    {
      await using log = await openAuditLog(path, options);
      for (const who of ["ada", "bob"]) {
        await log.record({ event: "logout", who });
      }
    }
    const [code, said] = await verify(path, "--key", key);
    assertEquals([code, said], [0, "whole: records 1 to 3; signed up to 3"]);
    const whole = await Deno.readTextFile(path);
    const lines = whole.split("\n");
    await Deno.writeTextFile(path, `${lines[0]}\n`);
    assertEquals(await verify(path), [
      1,
      `${path}: it ends with record 1, and ${path}.checkpoint has seen record 3`,
    ]);
    {
      await using log = await openAuditLog(path, options);
      await log.record({ event: "logout", who: "eve" });
    }
    const shown = await run(task("audit", "show", path));
    assert(
      shown.stdout.includes(
        'records missing      detail="record 3 was signed, and the last one that is there is 1"',
      ),
      shown.stdout,
    );
    // A chain that was made anew, by somebody without the key.
    await Deno.writeTextFile(key, `${SECRET}!\n`);
    const [otherCode, other] = await verify(path, "--key", key);
    assertEquals(otherCode, 1);
    assert(other.includes("is not by this key"), other);
  });
});

Deno.test("AuditLog.record() takes back what a full disk has left of a line", async () => {
  await inFolder(async (path) => {
    const log = await openAuditLog(path);
    await log.record({ event: "logout", who: "ada" });
    const { size } = await Deno.stat(path);
    const write = Deno.FsFile.prototype.write;
    Deno.FsFile.prototype.write = async function (bytes) {
      await write.call(this, bytes.subarray(0, 20));
      throw new Error("No space left on device");
    };
    try {
      const record = () => log.record({ event: "logout", who: "bob" });
      await assertRejects(record, AuditError, "Cannot write the record");
      await assertRejects(record, AuditError);
    } finally {
      Deno.FsFile.prototype.write = write;
    }
    assertEquals((await Deno.stat(path)).size, size);
    await log.record({ event: "logout", who: "eve" });
    await log.close();
    const [code, said] = await verify(path);
    assertEquals(code, 0, said);
    const { stdout } = await run(task("audit", "show", path, "--json"));
    const events = stdout.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(events.map(({ event, count }) => [event, count]), [
      ["logout", undefined],
      ["records lost", 2],
      ["logout", undefined],
    ]);
  });
});

Deno.test("audit says what is wrong with its command line and its files", async () => {
  await inFolder(async (path, folder) => {
    const bad = await run(task("audit", "check", path));
    assertEquals(bad.code, 2);
    assert(bad.stderr.includes("it must be verify or show"), bad.stderr);
    const [code, said] = await verify(`${folder}/none.log`);
    assertEquals(code, 1);
    assert(said.includes(`Cannot read ${folder}/none.log`), said);
    await Deno.writeTextFile(path, "");
    assertEquals(await verify(path), [1, `${path}: it has no record`]);
    await write(path, 1);
    const { stdout } = await run(task("audit", "verify", path, "--json"));
    const { type, lastSeq } = JSON.parse(stdout);
    assertEquals([type, lastSeq], ["whole", 1]);
  });
});
