import { assert, assertEquals } from "@std/assert";
import {
  formatRecord,
  replayLog,
} from "../../../../src/proto/transfer/tus/log.ts";
import {
  TusProtocol,
  type TusUpload,
} from "../../../../src/proto/transfer/tus/protocol.ts";
import {
  readMetadata,
  TusError,
} from "../../../../src/proto/transfer/tus/headers.ts";
import { checkProperty, fc } from "../../../support/property.ts";

const UPLOAD: TusUpload = {
  id: "a",
  length: 100,
  offset: 70,
  metadata: undefined,
  concat: undefined,
  expiresMs: Date.UTC(2014, 5, 25, 16),
};
const find = (id: string) => id === "a" ? UPLOAD : undefined;

Deno.test("TusProtocol answers the examples of the specification", () => {
  const tus = new TusProtocol({ path: "/files" });
  const plan = (method: string, path: string, headers: HeadersInit) =>
    tus.plan({ method, path, headers: new Headers(headers) }, find);
  const version = { "Tus-Resumable": "1.0.0" };
  const told = plan("HEAD", "/files/a", version);
  assert(told.type === "tell");
  const { status, headers } = tus.told(told.upload);
  assertEquals([status, headers["Upload-Offset"]], [200, "70"]);

  const appended = plan("PATCH", "/files/a", {
    ...version,
    "Content-Type": "application/offset+octet-stream",
    "Content-Length": "30",
    "Upload-Offset": "70",
    "Upload-Checksum": "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
  });
  assert(appended.type === "append");
  assertEquals(appended.body.length, 30);
  assertEquals(
    appended.body.checksum?.digest.toHex(),
    "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed",
  );
  assertEquals(tus.appended(UPLOAD).headers, {
    "Tus-Resumable": "1.0.0",
    "Upload-Offset": "70",
    "Upload-Expires": "Wed, 25 Jun 2014 16:00:00 GMT",
  });

  const created = plan("POST", "/files", {
    ...version,
    "Content-Length": "0",
    "Upload-Length": "100",
    "Upload-Metadata":
      "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential",
  });
  assert(created.type === "create");
  assertEquals(created.creation.path, "world_domination_plan.pdf");
  assertEquals(created.body, undefined);
  assertEquals(tus.created(UPLOAD).headers["Location"], "/files/a");

  const none = plan("HEAD", "/files/b", version);
  assertEquals(none.type === "answer" && none.answer.status, 404);
});

Deno.test("TusProtocol answers any request, and never throws", () => {
  const tus = new TusProtocol();
  const value = fc.oneof(
    fc.constantFrom("0", "1", "70", "100", "-1", "1.0.0", "partial", "final;a"),
    fc.string({ maxLength: 20 }).map((text) =>
      text.replace(/[^\x20-\x7e]/g, "")
    ),
  );
  const headers = fc.dictionary(
    fc.constantFrom(
      "tus-resumable",
      "upload-length",
      "upload-offset",
      "upload-defer-length",
      "upload-metadata",
      "upload-concat",
      "upload-checksum",
      "content-type",
      "content-length",
      "x-http-method-override",
    ),
    value,
  );
  const method = fc.constantFrom("OPTIONS", "POST", "HEAD", "PATCH", "DELETE");
  const path = fc.constantFrom("/", "/a", "/b", "/../a", "/a/b", "");
  checkProperty(fc.tuple(method, path, headers), ([method, path, given]) => {
    const request = {
      method,
      path,
      headers: new Headers({ "tus-resumable": "1.0.0", ...given }),
    };
    const action = tus.plan(request, find);
    if (action.type === "answer") assert(action.answer.status >= 200);
    if (action.type === "append") {
      assertEquals(action.offset, UPLOAD.offset);
      assert(action.offset + (action.body.length ?? 0) <= 100);
    }
  }, 2000);
});

Deno.test("readMetadata() reads any text or refuses it", () => {
  checkProperty(fc.string({ maxLength: 60 }), (text) => {
    try {
      readMetadata(text, 50);
      assert(/^[\x20-\x7e]*$/.test(text));
    } catch (error) {
      assert(error instanceof TusError);
      assert(error.status === 400 || error.status === 431);
    }
  }, 2000);
});

Deno.test("replayLog() reads a log up to where it is torn, at every byte", () => {
  const sha256 = "ab".repeat(32);
  const log = [
    { type: "begin", source: "::1", path: "a/ü" } as const,
    { type: "expires", atMs: 5 } as const,
    { type: "block", end: 10, sha256 } as const,
    { type: "block", end: 25, sha256 } as const,
    { type: "synced", end: 25 } as const,
    { type: "length", length: 30 } as const,
    { type: "block", end: 30, sha256 } as const,
    { type: "stored" } as const,
  ].map(formatRecord);
  const text = log.join("");
  let whole = 0;
  for (let length = 0; length <= text.length; length++) {
    if (length === log.slice(0, whole + 1).join("").length) whole++;
    const replay = replayLog(text.slice(0, length));
    if (whole === 0) {
      assertEquals(replay, undefined);
      continue;
    }
    assertEquals(replay!.expiresMs, whole >= 2 ? 5 : 0);
    assertEquals(replay!.syncedEnd, whole >= 5 ? 25 : 0);
    assertEquals(replay!.length, whole >= 6 ? 30 : undefined);
    assertEquals(replay!.isStored, whole === 8);
    const blocks = [0, 0, 0, 1, 2, 0, 0, 1, 1][whole];
    assertEquals(replay!.blocks.length, blocks, `${whole}`);
  }
  const last = replayLog(text)!.blocks[0]!;
  assertEquals([last.start, last.end], [25, 30]);
  const out = formatRecord({ type: "begin", source: "x", path: "../out" });
  assertEquals(replayLog(out), undefined);
});
