import { assert, assertEquals } from "@std/assert";
import { createHash, createHmac } from "node:crypto";
import {
  type AuditHead,
  AuditVerifier,
  checkpointText,
  NO_RECORD,
  openRecord,
  sealRecord,
} from "../../../../src/proto/security/audit_chain.ts";
import { checkProperty, fc } from "../../../support/property.ts";

const hash = (text: string) => createHash("sha256").update(text).digest("hex");
const time = "2026-01-01T00:00:00.000Z";

function chain(
  events: readonly ({ event: string } & Record<string, unknown>)[],
  from = NO_RECORD,
): { lines: string[]; head: AuditHead } {
  let head = from;
  const lines = events.map((fields) => {
    const sealed = sealRecord(head, { time, ...fields }, hash);
    head = sealed.head;
    return sealed.line;
  });
  return { lines, head };
}

function verify(...files: string[][]): string {
  const verifier = new AuditVerifier({ hash });
  for (const [file, lines] of files.entries()) {
    for (const line of lines) {
      const fault = verifier.line(line);
      if (fault) return `${file}:${fault.line}: ${fault.reason}`;
    }
    const fault = verifier.fileEnded();
    if (fault) return `${file}:${fault.line}: ${fault.reason}`;
  }
  return `${verifier.firstSeq}-${verifier.head.seq}, ${verifier.tornCount} torn`;
}

const FIVE = chain(["a", "b", "c", "d", "e"].map((event) => ({ event }))).lines;

Deno.test("AuditVerifier accepts a whole chain, over any files", () => {
  assertEquals(verify(FIVE), "1-5, 0 torn");
  assertEquals(verify(FIVE.slice(0, 2), FIVE.slice(2)), "1-5, 0 torn");
  assertEquals(verify(FIVE.slice(2)), "3-5, 0 torn");
});

Deno.test("AuditVerifier names the line that was left out, moved, doubled or put in", () => {
  const without = FIVE.toSpliced(2, 1);
  assertEquals(verify(without), "0:3: record 4 comes after record 2");
  assertEquals(
    verify([FIVE[0]!, FIVE[2]!, FIVE[1]!]),
    "0:2: record 3 comes after record 1",
  );
  assertEquals(
    verify([...FIVE, FIVE[4]!]),
    "0:6: record 5 comes after record 5",
  );
  const other = chain([{ event: "x" }, { event: "y" }, { event: "z" }]).lines;
  assertEquals(
    verify([FIVE[0]!, FIVE[1]!, other[2]!]),
    "0:3: record 3 does not belong to the record before it",
  );
  assertEquals(
    verify(FIVE.slice(0, 2), FIVE.slice(3)),
    "1:1: record 4 comes after record 2",
  );
});

Deno.test("AuditVerifier notices any change of any character", () => {
  const length = FIVE.join("\n").length;
  checkProperty(
    fc.tuple(fc.nat(length - 1), fc.integer({ min: 1, max: 127 })),
    ([at, by]) => {
      const text = FIVE.join("\n");
      const code = (text.charCodeAt(at) + by) % 128;
      const changed = text.slice(0, at) + String.fromCharCode(code) +
        text.slice(at + 1);
      assert(!verify(changed.split("\n")).startsWith("1-5"), `at ${at}`);
    },
    2_000,
  );
});

Deno.test("AuditVerifier notices the end that was taken away by nothing but a checkpoint elsewhere", () => {
  assertEquals(verify(FIVE.slice(0, 3)), "1-3, 0 torn");
});

Deno.test("AuditVerifier accepts torn lines that the next record notes", () => {
  const { lines, head } = chain([{ event: "a" }]);
  const torn = '{"seq":2,"time":"20';
  const noted = chain(
    [{ event: "torn line", sha256: hash(torn), count: torn.length }],
    head,
  ).lines;
  assertEquals(verify([...lines, torn, ...noted]), "1-2, 1 torn");
  assertEquals(
    verify([...lines, `${torn}!`, ...noted]),
    "0:2: it does not end in a hash",
  );
  assertEquals(
    verify([...lines, torn, "more", ...noted]),
    "0:2: it does not end in a hash",
  );
  assertEquals(verify([...lines, torn]), "0:2: it does not end in a hash");
  assertEquals(verify([...lines, ...noted]), "1-2, 0 torn");
});

Deno.test("AuditVerifier looks at signatures when it can", () => {
  const sign = (text: string) =>
    createHmac("sha256", "k".repeat(32)).update(text).digest("base64");
  const { lines, head } = chain([{ event: "a" }, { event: "b" }]);
  const signature = sign(checkpointText(head));
  const signed = (fields: Record<string, unknown>) => {
    const verifier = new AuditVerifier({
      hash,
      verify: (text, given) => sign(text) === given,
    });
    const all = [
      ...lines,
      ...chain([{ event: "checkpoint", ...fields }], head).lines,
    ];
    const faults = all.map((line) => verifier.line(line)?.reason);
    return faults.at(-1) ?? verifier.signedSeq;
  };
  assertEquals(signed({ signature }), 3);
  const fault = "the signature of record 3 is not by this key";
  assertEquals(signed({ signature: sign("something else") }), fault);
  assertEquals(signed({}), fault);
});

Deno.test("openRecord() says why a line is no record", () => {
  assertEquals(openRecord("", hash), "it does not end in a hash");
  const seal = (body: string) => `${body.slice(0, -1)},"hash":"${hash(body)}"}`;
  assertEquals(openRecord(seal("{broken}"), hash), "it is no JSON");
  assertEquals(
    openRecord(seal('{"seq":1}'), hash),
    "it lacks seq, time, previous or event",
  );
});

Deno.test("sealRecord() makes one line of any text", () => {
  checkProperty(fc.string({ unit: "binary" }), (detail) => {
    const { line } = sealRecord(
      NO_RECORD,
      { time, event: "x", ...{ detail } },
      hash,
    );
    assert(!line.includes("\n"));
    const record = openRecord(line, hash);
    assert(typeof record !== "string");
    assertEquals(record["detail"], detail);
  });
});
