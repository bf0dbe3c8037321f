import { assertEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import {
  acceptUpgrade,
  checkUpgradeAnswer,
  type Sha1,
  writeUpgradeRequest,
} from "../../../../src/proto/web_socket/handshake.ts";
import {
  endOfHead,
  HttpRefusal,
  readHead,
  readRequestHead,
} from "../../../../src/proto/web_socket/http_head.ts";
import { utf8 } from "../../../support/three_ways.ts";

const sha1: Sha1 = (text) => createHash("sha1").update(text).digest("base64");
const RULES = { path: "/chat", origins: [], protocols: [], deflate: undefined };
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

Deno.test("acceptUpgrade() answers the example of RFC 6455", () => {
  const request = readRequestHead(
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n" +
      "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
      "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n" +
      "Sec-WebSocket-Version: 13\r\n\r\n",
  );
  const rules = {
    ...RULES,
    origins: ["http://example.com"],
    protocols: ["chat"],
  };
  const { answer, protocol } = acceptUpgrade(request, rules, sha1);
  assertEquals(
    text(answer),
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n" +
      "connection: Upgrade\r\n" +
      "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
      "sec-websocket-protocol: chat\r\n\r\n",
  );
  assertEquals(protocol, "chat");
  assertThrows(
    () => acceptUpgrade(request, RULES, sha1),
    HttpRefusal,
    "origin",
  );
});

Deno.test("acceptUpgrade() knows its own origin with and without a default port", () => {
  for (
    const [host, origin, allowed] of [
      ["a.example", "http://a.example", true],
      ["a.example:80", "http://a.example", true],
      ["a.example:443", "https://a.example", true],
      ["A.example:9980", "https://a.EXAMPLE:9980", true],
      ["a.example:9980", "http://a.example", false],
      ["a.example:443", "http://a.example", false],
      ["a.example", "file://a.example", false],
      ["a.example", "", false],
    ] as const
  ) {
    const request = readRequestHead(
      text(writeUpgradeRequest({
        host,
        path: "/chat?room=1",
        key: "dGhlIHNhbXBsZSBub25jZQ==",
        protocols: [],
        deflate: undefined,
        fields: [["origin", origin]],
      })),
    );
    if (allowed) acceptUpgrade(request, RULES, sha1);
    else assertThrows(() => acceptUpgrade(request, RULES, sha1), HttpRefusal);
  }
});

Deno.test("checkUpgradeAnswer() takes what acceptUpgrade() answers", () => {
  const request = {
    host: "a.example",
    path: "/chat",
    key: "dGhlIHNhbXBsZSBub25jZQ==",
    protocols: ["b", "a"],
    deflate: undefined,
    fields: [],
  };
  const { answer } = acceptUpgrade(
    readRequestHead(text(writeUpgradeRequest(request))),
    { ...RULES, protocols: ["a", "b"] },
    sha1,
  );
  assertEquals(checkUpgradeAnswer(readHead(text(answer)), request, sha1), {
    protocol: "a",
    deflate: undefined,
  });
});

Deno.test("writeUpgradeRequest() refuses fields that would end the head", () => {
  const request = {
    host: "a.example",
    path: "/",
    key: "",
    protocols: [],
    deflate: undefined,
    fields: [],
  };
  for (
    const changes of [
      { fields: [["a", "1\r\nb: 2"]] as [string, string][] },
      { fields: [["a b", "1"]] as [string, string][] },
      { protocols: ["a,b"] },
    ]
  ) {
    assertThrows(
      () => writeUpgradeRequest({ ...request, ...changes }),
      TypeError,
      "Cannot upgrade",
    );
  }
});

Deno.test("endOfHead() finds the blank line, wherever the bytes were cut", () => {
  const head = utf8("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest");
  const end = head.length - 4;
  for (let cut = 0; cut < end; cut++) {
    assertEquals(endOfHead(head, 0, cut), -1);
    assertEquals(endOfHead(head, cut, head.length), end);
  }
});

Deno.test("readHead() joins the values of a repeated field", () => {
  const { fields } = readHead("x\r\nA:  1 \r\na:2\r\nB:\r\n\r\n");
  assertEquals([...fields], [["a", "1, 2"], ["b", ""]]);
});
