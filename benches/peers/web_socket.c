// Drives a WebSocket server that echoes, and measures it from outside.
//
//   gcc -O2 -o web_socket web_socket.c
//   ./web_socket HOST PORT CONNECTIONS WINDOW FRAME_HEX SECONDS [deflate]
//   ./web_socket HOST PORT CONNECTIONS idle SERVER_PID SETTLE_SECONDS
//
// CONNECTIONS sockets are upgraded, with permessage-deflate if told, and each
// keeps WINDOW frames in flight. FRAME_HEX is one masked frame in hexadecimal,
// sent over and over. Every response must be one frame. The first fifth of
// SECONDS is warm-up and not counted. Prints one line of JSON: messages in total
// and per second, bytes of the first response, latency percentiles in
// microseconds, and its own processor time.
//
// With `idle` nothing is sent; prints by how much the server's resident memory
// grew for each connection, and how many the server had closed. The first tenth
// is not counted: what a runtime's heap grows by at first, it grows by once.
#include "client.h"

typedef struct {
  int fd, in_flight, head, tail;
  unsigned char *in, *out;
  size_t in_len, in_cap, out_len, out_off;
  double *sent_at;
} Connection;

static unsigned char *request;
static size_t request_len, response_len;
static int window;
static unsigned long long done;
static Histogram latency;

static void fill(Connection *c) {
  while (c->in_flight < window && c->out_len + request_len <= (1 << 20)) {
    memcpy(c->out + c->out_len, request, request_len);
    c->out_len += request_len;
    c->sent_at[c->tail] = now();
    c->tail = (c->tail + 1) % window;
    c->in_flight++;
  }
}

static void flush_out(Connection *c) {
  while (c->out_off < c->out_len) {
    ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off,
                     MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) die("write: %s", strerror(errno));
    c->out_off += n;
  }
  c->out_off = c->out_len = 0;
}

static void consume(Connection *c) {
  double t = now();
  size_t at = 0;
  while (c->in_len - at >= 2) {
    unsigned char *p = c->in + at;
    size_t header = 2, len = p[1];
    if (len == 126) {
      header = 4;
      if (c->in_len - at < header) break;
      len = p[2] << 8 | p[3];
    } else if (len > 126) {
      die("a frame of a kind that was not asked for: %02x %02x", p[0], p[1]);
    }
    if (c->in_len - at < header + len) break;
    if ((p[0] & 0x0f) != 9) {
      if ((p[0] & 0x0f) > 2) die("a control frame: %02x", p[0]);
      if (c->in_flight == 0) die("a response to nothing");
      if (!response_len) response_len = len;
      done++;
      c->in_flight--;
      record(&latency, t - c->sent_at[c->head], 1);
      c->head = (c->head + 1) % window;
    }
    at += header + len;
  }
  memmove(c->in, c->in + at, c->in_len - at);
  c->in_len -= at;
}

static void read_all(Connection *c) {
  for (;;) {
    ssize_t r = read(c->fd, c->in + c->in_len, c->in_cap - c->in_len);
    if (r < 0 && errno == EAGAIN) return;
    if (r <= 0) die("closed by the server");
    c->in_len += r;
    consume(c);
  }
}

static int upgrade(const char *host, int port, int deflate) {
  char text[1024], byte;
  int fd = dial(host, port), ended = 0;
  if (fd < 0) die("connect: %s", strerror(errno));
  int n = snprintf(
      text, sizeof text,
      "GET / HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Version: 13\r\n%s\r\n",
      host, port,
      deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                "server_no_context_takeover; client_no_context_takeover\r\n"
              : "");
  if (write(fd, text, n) != n) die("write: %s", strerror(errno));
  size_t len = 0;
  while (ended < 4) {
    if (read(fd, &byte, 1) != 1) die("no answer to the upgrade");
    ended = byte == (ended % 2 ? '\n' : '\r') ? ended + 1 : byte == '\r';
    if (len < sizeof text - 1) text[len++] = byte;
  }
  text[len] = 0;
  if (strncmp(text, "HTTP/1.1 101", 12)) die("no upgrade: %s", text);
  if (deflate && !strcasestr(text, "permessage-deflate")) die("no deflate");
  return fd;
}

static void read_hex(const char *hex) {
  request_len = strlen(hex) / 2;
  request = malloc(request_len);
  for (size_t i = 0; i < request_len; i++) {
    unsigned value;
    if (sscanf(hex + 2 * i, "%2x", &value) != 1) die("no hexadecimal");
    request[i] = value;
  }
}

static long resident_kib(int pid) {
  char path[64], line[256];
  long kib = -1;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "VmRSS: %ld", &kib);
  if (f) fclose(f);
  return kib;
}

static int idle(const char *host, int port, int count, int pid, int settle) {
  int *fds = malloc(count * sizeof(int)), closed = 0, first = count / 10;
  long before = 0;
  for (int i = 0; i < count; i++) {
    if (i == first) before = resident_kib(pid);
    fds[i] = upgrade(host, port, 0);
  }
  sleep(settle);
  long after = resident_kib(pid);
  for (int i = 0; i < count; i++) {
    char byte;
    ssize_t n = recv(fds[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    closed += n == 0 || (n < 0 && errno != EAGAIN);
  }
  printf("{\"connections\":%d,\"beforeKib\":%ld,\"afterKib\":%ld,"
         "\"bytesEach\":%ld,\"closed\":%d}\n",
         count, before, after, (after - before) * 1024 / (count - first), closed);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 7) {
    fprintf(stderr,
            "usage: web_socket HOST PORT CONNECTIONS WINDOW FRAME_HEX SECONDS "
            "[deflate]\n");
    return 2;
  }
  const char *host = argv[1];
  int port = atoi(argv[2]), connections = atoi(argv[3]);
  if (!strcmp(argv[4], "idle")) {
    return idle(host, port, connections, atoi(argv[5]), atoi(argv[6]));
  }
  window = atoi(argv[4]);
  read_hex(argv[5]);
  double seconds = atof(argv[6]);
  int deflate = argc > 7 && !strcmp(argv[7], "deflate");
  int ep = epoll_create1(0);
  Connection *all = calloc(connections, sizeof(Connection));
  size_t most = request_len * window;
  if (most > 1 << 20) most = 1 << 20;
  for (int i = 0; i < connections; i++) {
    Connection *c = &all[i];
    c->fd = upgrade(host, port, deflate);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->in_cap = 1 << 17;
    c->in = malloc(c->in_cap);
    c->out = malloc(most + request_len);
    c->sent_at = calloc(window, sizeof(double));
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                            .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
  }
  double start = now(), warm = start + seconds * 0.2, stop = start + seconds;
  double counted_from = 0;
  unsigned long long base = 0;
  for (int i = 0; i < connections; i++) {
    fill(&all[i]);
    flush_out(&all[i]);
  }
  struct epoll_event events[512];
  for (double t; (t = now()) < stop;) {
    if (!counted_from && t > warm) {
      counted_from = t;
      base = done;
      memset(&latency, 0, sizeof latency);
    }
    int n = epoll_wait(ep, events, 512, 100);
    for (int k = 0; k < n; k++) {
      Connection *c = events[k].data.ptr;
      if (events[k].events & EPOLLIN) {
        read_all(c);
        fill(c);
      }
      flush_out(c);
    }
  }
  double rate = (done - base) / (now() - counted_from);
  printf("{\"connections\":%d,\"window\":%d,\"requestBytes\":%zu,"
         "\"responseBytes\":%zu,\"total\":%llu,\"perSecond\":%.0f,"
         "\"p50Us\":%ld,\"p99Us\":%ld,\"p999Us\":%ld,\"cpuSeconds\":%.3f}\n",
         connections, window, request_len, response_len, done, rate,
         percentile(&latency, .5), percentile(&latency, .99),
         percentile(&latency, .999), cpu_seconds());
  return 0;
}
