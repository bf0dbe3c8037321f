import { assertEquals, assertThrows } from "@std/assert";
import { parseBalanceConfig } from "../../../../src/proxy/balance/config.ts";

const LISTEN = '"listen": ["tcp://127.0.0.1:7000"]';

Deno.test("parseBalanceConfig() reads everything, with comments", () => {
  const config = parseBalanceConfig(
    `{
  // The front door.
  ${LISTEN},
  "policy": "maglev",
  "to": [
    "tcp://127.0.0.1:7001",
    { "to": "tls://127.0.0.1:7002/", "weight": 3, "backup": true,
      "sendProxy": "v2", "check": false, "maxConnections": 10 },
    { "to": "tcp://127.0.0.1:7003",
      "check": { "type": "exchange", "send": "?", "expect": "!" } }
  ],
  "check": { "type": "http", "path": "/health" },
  "health": { "intervalMs": 500, "rise": 1 },
  "ejection": false,
  "trustedProxies": ["10.0.0.0/8"],
  "limits": { "idleMs": 1000 }
}`,
    "balance.json",
  );
  assertEquals(config, {
    listen: ["tcp://127.0.0.1:7000"],
    policy: "maglev",
    to: [
      { to: "tcp://127.0.0.1:7001" },
      {
        to: "tls://127.0.0.1:7002",
        weight: 3,
        backup: true,
        proxyProtocol: 2,
        check: false,
        maxConnections: 10,
      },
      {
        to: "tcp://127.0.0.1:7003",
        check: { type: "exchange", send: "?", expect: "!" },
      },
    ],
    check: { type: "http", path: "/health" },
    health: { intervalMs: 500, rise: 1 },
    ejection: false,
    trustedProxies: ["10.0.0.0/8"],
    limits: { idleMs: 1000 },
  });
});

Deno.test("parseBalanceConfig() names line, column and reason of what is at fault", () => {
  const to = '"to": ["tcp://127.0.0.1:7001"]';
  for (
    const [text, fault] of [
      ["", "line 1, column 1: it is no JSON"],
      ["{\n  listen", "line 2, column 3: it is no JSON: invalid symbol"],
      [`{${LISTEN}, "to": []}`, 'the key "to" is missing, or empty'],
      [`{${to}}`, 'line 1, column 1: the key "listen" is missing'],
      [
        `{${LISTEN},\n ${to},\n "polcy": "maglev"}`,
        'line 3, column 2: unknown key "polcy": allowed are listen, to, policy',
      ],
      [
        `{${LISTEN},\n ${to},\n ${to}}`,
        'line 3, column 2: the key "to" is there twice',
      ],
      [
        `{${LISTEN},\n "to": ["tcp://a:1",\n   {"to": "tcp://a:1"}]}`,
        "line 3, column 4: the backend tcp://a:1 is there twice",
      ],
      [
        `{${LISTEN},\n "to": ["tcp://a:1", "tcp://localhost:7000"]}`,
        "line 2, column 22: Cannot balance: a backend is where it listens",
      ],
      [
        `{${LISTEN},\n "to": [{"to": "tcp://a:1", "weight": 300}]}`,
        "line 2, column 39: a number from 1 to 256 is expected",
      ],
      [
        `{${LISTEN},\n "to": [{"to": "tcp://a:1", "weight": 1.5}]}`,
        "line 2, column 39: a whole number is expected",
      ],
      [`{${LISTEN}, "to": [{}]}`, 'the key "to" is missing'],
      [`{${LISTEN}, "to": ["http://a"]}`, "column 45: Cannot parse endpoint"],
      [
        `{${LISTEN}, ${to}, "policy": "best"}`,
        "one of round-robin, weighted",
      ],
      [
        `{${LISTEN}, ${to}, "check": {"type": "tcp", "path": "/"}}`,
        'a check by tcp has no "path"',
      ],
      [
        `{${LISTEN}, ${to}, "check": {"type": "exchange"}}`,
        '"expect" is missing',
      ],
      [
        `{${LISTEN}, ${to}, "allow": ["10.0.0.0/99"]}`,
        "column 80: Cannot parse network",
      ],
      [`{${LISTEN}, ${to}, "limits": 5}`, "an object is expected"],
    ] as const
  ) {
    assertThrows(
      () => parseBalanceConfig(text, "balance.json"),
      SyntaxError,
      fault,
    );
  }
});
