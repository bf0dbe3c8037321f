// Drives broadcasts to many members, and measures them from outside.
//
//   gcc -O2 -o broadcast broadcast.c
//   ./broadcast hub|raw|nats HOST PORT MEMBERS CONTENT_BYTES IN_FLIGHT SECONDS [RATE]
//
// PORT may be several, with commas between: the members are spread over them in
// turn, and the publisher is at the first.
//
// MEMBERS connections listen; one more publishes and keeps IN_FLIGHT broadcasts
// under way. A broadcast is finished, and the next one is sent, when every
// member has received it. With RATE it sends that many a second instead.
//
// The content starts with 16 hexadecimal digits that count the broadcasts. They
// are compared in every frame of every member, so that a loss, a duplicate or a
// change of order ends the run with an error. The first fifth of SECONDS is
// warm-up and not counted. Prints one line of JSON: deliveries in total and per
// second, and percentiles in microseconds of the time from the publisher's write to a
// member's read, and to the last member's, and its own processor time.
//
//   hub   4-byte length and JSON: {"type":"broadcast","content":"…"} reaches the
//         others with "from" and "timestamp", the sender gets broadcast_sent with
//         the number of recipients; a ping tells that a member has joined
//   raw   4-byte length and bytes, which the others get as they are; an empty
//         frame is returned, which tells that a member has joined
//   nats  NATS: the members subscribe to a subject, the publisher publishes
#include "client.h"

enum { RING = 4096, DIGITS = 16, READ_BYTES = 1 << 18, QUIET_MS = 200,
       MAX_PORTS = 16 };
typedef enum { HUB, RAW, NATS } Mode;

typedef struct {
  int fd;
  unsigned long long received;
  // Where the digits stood in the last frame; all frames look alike.
  size_t digits_at;
  unsigned char *rest;
  size_t rest_len, rest_cap;
} Member;

static const char NATS_CONNECT[] = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
static const char HUB_PING[] = "{\"type\":\"ping\",\"timestamp\":0}";

static Mode mode;
static int members, publisher;
static size_t content_len;
static char *content, nats_header[64];
static size_t nats_header_len;
static Member *member;
static unsigned char input[READ_BYTES];
static unsigned char *output;
static size_t output_len, output_off, output_cap;
static unsigned char *confirmations;
static size_t confirmations_len;
static unsigned long long sent, finished, delivered, confirmed;
// Of each broadcast under way, at its number modulo RING.
static char digits[RING][DIGITS];
static int missing[RING];
static double sent_at[RING];
static Histogram delivery, completion;

static void send_all(int fd, const void *bytes, size_t len) {
  for (size_t at = 0; at < len;) {
    ssize_t n = send(fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
    if (n <= 0) die("write: %s", strerror(errno));
    at += n;
  }
}

static void send_frame(int fd, const char *body) {
  unsigned char header[4];
  write_u32(header, strlen(body));
  send_all(fd, header, 4);
  send_all(fd, body, strlen(body));
}

// Reads until `text` was seen (an empty text: a header of four zeros).
static void await_text(int fd, const char *text) {
  static char seen[65536];
  size_t len = 0;
  const char *wanted = *text ? text : "\0\0\0\0";
  size_t wanted_len = *text ? strlen(text) : 4;
  while (!memmem(seen, len, wanted, wanted_len)) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, 10000) != 1) die("no \"%s\" within 10 s", text);
    ssize_t n = read(fd, seen + len, sizeof seen - len);
    if (n <= 0) die("closed before \"%s\"", text);
    len += n;
  }
}

// Connects and waits until the server knows that the connection is there.
static int join(const char *host, int port, int subscribes) {
  int fd = dial(host, port);
  if (fd < 0) die("connect: %s", strerror(errno));
  if (mode == HUB) {
    send_frame(fd, HUB_PING);
    await_text(fd, "\"pong\"");
  } else if (mode == RAW) {
    send_frame(fd, "");
    await_text(fd, "");
  } else {
    send_all(fd, NATS_CONNECT, strlen(NATS_CONNECT));
    if (subscribes) send_all(fd, "SUB b 1\r\n", 9);
    send_all(fd, "PING\r\n", 6);
    await_text(fd, "PONG\r\n");
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void append(const void *bytes, size_t len) {
  if (output_len + len > output_cap) {
    output_cap = (output_len + len) * 2;
    output = realloc(output, output_cap);
  }
  memcpy(output + output_len, bytes, len);
  output_len += len;
}

static void publish(double t) {
  int slot = sent % RING;
  if (sent - finished >= RING) die("the server does not keep up");
  snprintf(content, DIGITS + 1, "%0*llx", DIGITS, sent);
  content[DIGITS] = 'x';
  memcpy(digits[slot], content, DIGITS);
  missing[slot] = members;
  sent_at[slot] = t;
  sent++;
  unsigned char header[4];
  if (mode == HUB) {
    static const char head[] = "{\"type\":\"broadcast\",\"content\":\"";
    write_u32(header, strlen(head) + content_len + 2);
    append(header, 4);
    append(head, strlen(head));
    append(content, content_len);
    append("\"}", 2);
  } else if (mode == RAW) {
    write_u32(header, content_len);
    append(header, 4);
    append(content, content_len);
  } else {
    char line[64];
    append(line, snprintf(line, sizeof line, "PUB b %zu\r\n", content_len));
    append(content, content_len);
    append("\r\n", 2);
  }
}

static void flush_output(void) {
  while (output_off < output_len) {
    ssize_t n = send(publisher, output + output_off, output_len - output_off,
                     MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) die("publisher: write: %s", strerror(errno));
    output_off += n;
  }
  output_off = output_len = 0;
}

// Looks at one delivery in full: content, and in a hub's frame the rest of it.
static size_t find_content(const unsigned char *body, size_t len,
                           const char *number) {
  memcpy(content, number, DIGITS);
  unsigned char *at = memmem(body, len, content, content_len);
  if (!at || (mode != HUB && len != content_len) ||
      (mode == HUB && (!memmem(body, len, "\"type\":\"broadcast\"", 18) ||
                       !memmem(body, len, "\"from\":\"", 8) ||
                       !memmem(body, len, "\"timestamp\":\"", 13)))) {
    die("not the broadcast that was expected (%.*s): %.*s", DIGITS, number,
        (int)(len > 300 ? 300 : len), body);
  }
  return at - body;
}

static void deliver(Member *m, const unsigned char *body, size_t len,
                    double t) {
  int slot = m->received % RING;
  if (m->received >= sent) die("delivered but never sent");
  if (m->received < 3 || m->digits_at + content_len > len ||
      memcmp(body + m->digits_at, digits[slot], DIGITS)) {
    m->digits_at = find_content(body, len, digits[slot]);
  }
  m->received++;
  delivered++;
  if (--missing[slot] == 0) {
    finished++;
    record(&completion, t - sent_at[slot], 1);
  }
}

// The length of the whole frame at `p`, 0 if it is not complete; what is not
// part of the content is skipped by `*body`.
static size_t frame_at(Member *m, unsigned char *p, size_t len, size_t *body) {
  if (mode != NATS) {
    if (len < 4) return 0;
    size_t whole = read_u32(p) + 4;
    if (whole > READ_BYTES / 2) die("absurd frame length %zu", whole - 4);
    *body = 4;
    return whole <= len ? whole : 0;
  }
  if (len >= nats_header_len && !memcmp(p, nats_header, nats_header_len)) {
    *body = nats_header_len;
    size_t whole = nats_header_len + content_len + 2;
    return whole <= len ? whole : 0;
  }
  unsigned char *end = memmem(p, len, "\r\n", 2);
  if (!end) return 0;
  if (memcmp(p, "PING", 4)) die("unexpected: %.*s", (int)(end - p), p);
  send_all(m->fd, "PONG\r\n", 6);
  *body = 0;
  return end + 2 - p;
}

// Reads and checks what there is for a member. Returns 0 if that was nothing.
static int receive(Member *m) {
  memcpy(input, m->rest, m->rest_len);
  ssize_t n = read(m->fd, input + m->rest_len, READ_BYTES - m->rest_len);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) die("a member was closed by the server");
  double t = now();
  size_t len = m->rest_len + n, at = 0, body, whole;
  unsigned long long before = m->received;
  while ((whole = frame_at(m, input + at, len - at, &body))) {
    size_t tail = mode == NATS ? 2 : 0;
    if (body) deliver(m, input + at + body, whole - body - tail, t);
    at += whole;
  }
  for (unsigned long long k = before; k < m->received; k++) {
    record(&delivery, t - sent_at[k % RING], 1);
  }
  m->rest_len = len - at;
  if (m->rest_len > m->rest_cap) {
    m->rest_cap = m->rest_len;
    m->rest = realloc(m->rest, m->rest_cap);
  }
  memcpy(m->rest, input + at, m->rest_len);
  return 1;
}

static void confirm(const unsigned char *body, size_t len) {
  char number[32];
  int digits_len = snprintf(number, sizeof number, "\"recipients\":%d", members);
  unsigned char *at = memmem(body, len, number, digits_len);
  if (!memmem(body, len, "\"broadcast_sent\"", 16) || !at ||
      (at[digits_len] >= '0' && at[digits_len] <= '9')) {
    die("not a broadcast_sent to %d: %.*s", members, (int)len, body);
  }
  confirmed++;
}

// Reads what the server tells the publisher.
static void receive_confirmations(void) {
  for (;;) {
    ssize_t n = read(publisher, confirmations + confirmations_len,
                     READ_BYTES - confirmations_len);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) die("the publisher was closed by the server");
    if (mode == RAW) die("the publisher received its own broadcast");
    confirmations_len += n;
    size_t at = 0;
    if (mode == NATS) {
      while (confirmations_len - at >= 6) {
        if (memcmp(confirmations + at, "PING\r\n", 6)) {
          die("unexpected: %.*s", (int)(confirmations_len - at),
              confirmations + at);
        }
        append("PONG\r\n", 6);
        at += 6;
      }
    }
    while (mode == HUB && confirmations_len - at >= 4) {
      size_t len = read_u32(confirmations + at);
      if (len + 4 > READ_BYTES) die("absurd frame length %zu", len);
      if (len + 4 > confirmations_len - at) break;
      confirm(confirmations + at + 4, len);
      at += len + 4;
    }
    memmove(confirmations, confirmations + at, confirmations_len - at);
    confirmations_len -= at;
  }
}

// Waits for what is under way, then makes sure that nothing else comes.
static void finish(int ep) {
  struct epoll_event events[512];
  double last = now();
  for (;;) {
    int done = finished == sent && (mode != HUB || confirmed == sent);
    int n = epoll_wait(ep, events, 512, QUIET_MS);
    if (n == 0 && done) return;
    if (n > 0) last = now();
    if (now() - last > 5) {
      die("lost: %llu broadcasts sent, %llu finished, %llu confirmed", sent,
          finished, confirmed);
    }
    for (int k = 0; k < n; k++) {
      Member *m = events[k].data.ptr;
      if (m) {
        receive(m);
      } else {
        receive_confirmations();
      }
    }
    flush_output();
  }
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr,
            "usage: broadcast hub|raw|nats HOST PORT MEMBERS CONTENT_BYTES "
            "IN_FLIGHT SECONDS [RATE]\n");
    return 2;
  }
  mode = !strcmp(argv[1], "hub") ? HUB : !strcmp(argv[1], "raw") ? RAW : NATS;
  const char *host = argv[2];
  int ports[MAX_PORTS], port_count = 0;
  for (char *at = strtok(argv[3], ","); at; at = strtok(NULL, ",")) {
    if (port_count == MAX_PORTS) die("PORT: %d at most", MAX_PORTS);
    ports[port_count++] = atoi(at);
  }
  if (port_count == 0) die("PORT is missing");
  members = atoi(argv[4]);
  content_len = atoi(argv[5]);
  unsigned long long in_flight = atoi(argv[6]);
  double seconds = atof(argv[7]), rate = argc > 8 ? atof(argv[8]) : 0;
  if (content_len < DIGITS || content_len > READ_BYTES / 4) {
    die("CONTENT_BYTES must be %d to %d", DIGITS, READ_BYTES / 4);
  }
  if (in_flight < 1 || in_flight > RING) die("IN_FLIGHT must be 1 to %d", RING);
  content = malloc(content_len + 1);
  memset(content, 'x', content_len);
  nats_header_len = snprintf(nats_header, sizeof nats_header,
                             "MSG b 1 %zu\r\n", content_len);
  confirmations = malloc(READ_BYTES);
  member = calloc(members, sizeof(Member));

  int ep = epoll_create1(0);
  for (int i = 0; i < members; i++) {
    member[i].fd = join(host, ports[i % port_count], 1);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &member[i]};
    epoll_ctl(ep, EPOLL_CTL_ADD, member[i].fd, &e);
  }
  publisher = join(host, ports[0], 0);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(ep, EPOLL_CTL_ADD, publisher, &e);

  double start = now(), warm = start + seconds * 0.2, stop = start + seconds;
  double counted_from = 0, progress = start;
  unsigned long long base = 0;
  struct epoll_event events[512];
  for (double t; (t = now()) < stop;) {
    if (!counted_from && t > warm) {
      counted_from = t;
      base = delivered;
      memset(&delivery, 0, sizeof delivery);
      memset(&completion, 0, sizeof completion);
    }
    if (rate) {
      while (start + sent / rate <= t) publish(t);
    } else {
      while (sent - finished < in_flight) publish(t);
    }
    flush_output();
    int timeout = 100;
    if (rate) {
      double wait = start + sent / rate - now();
      timeout = wait > 0 ? wait * 1000 + 1 : 0;
    }
    int n = epoll_wait(ep, events, 512, timeout);
    if (n > 0) progress = t;
    if (t - progress > 5) die("nothing arrived for 5 s");
    for (int k = 0; k < n; k++) {
      Member *m = events[k].data.ptr;
      if (!m) {
        receive_confirmations();
        continue;
      }
      receive(m);
      if (!rate && sent - finished < in_flight) {
        double at = now();
        while (sent - finished < in_flight) publish(at);
        flush_output();
      }
    }
  }
  double elapsed = now() - counted_from;
  unsigned long long counted = delivered - base;
  finish(ep);
  printf("{\"members\":%d,\"contentBytes\":%zu,\"inFlight\":%llu,"
         "\"total\":%llu,\"perSecond\":%.0f,\"broadcasts\":%llu,\"p50Us\":%ld,\"p99Us\":%ld,"
         "\"finishedP50Us\":%ld,\"finishedP99Us\":%ld,\"cpuSeconds\":%.3f}\n",
         members, content_len, in_flight, delivered, counted / elapsed, sent,
         percentile(&delivery, .5), percentile(&delivery, .99),
         percentile(&completion, .5), percentile(&completion, .99),
         cpu_seconds());
  return 0;
}
