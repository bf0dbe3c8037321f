// Drives a server that speaks 4-byte big-endian length-prefixed frames, and
// measures it from outside.
//
//   gcc -O2 -o loadgen loadgen.c
//   ./loadgen HOST PORT CONNECTIONS WINDOW CONTENT_BYTES SECONDS [raw|json] [drain]
//
// CONNECTIONS sockets each keep WINDOW requests in flight. A request is
// CONTENT_BYTES of 'x', or with `json` the hub's echo message
// {"type":"echo","content":"x…","timestamp":…}. Every response must be one
// frame; with `json` the first on each connection must be an echo_response
// that carries the same content. The first fifth of SECONDS is warm-up and not
// counted. Prints one line of JSON: messages in total and per second, MB per second
// (of requests), latency percentiles in microseconds, and its own processor time.
//
// With `drain` the server is expected to end first: load goes on until each
// connection was closed or SECONDS have passed. An orderly close in the middle
// of a frame, or a reset, is counted: what the server had written before a
// reset may be lost. Prints requests sent and answered, other frames (the
// server's notices), partial frames, resets, and connections still open.
#include "client.h"

typedef struct {
  int fd, in_flight, head, tail, checked;
  unsigned char *in, *out;
  size_t in_len, in_cap, out_len, out_off;
  double *sent_at;
} Connection;

static unsigned char *request;
static size_t request_len, content_len;
static int window, json, drain, connections, open_connections;
static unsigned long long sent, done, notices, partial, resets;
static Histogram latency;

static void fill(Connection *c) {
  while (c->in_flight < window && c->out_len + request_len <= (1 << 20)) {
    memcpy(c->out + c->out_len, request, request_len);
    c->out_len += request_len;
    c->sent_at[c->tail] = now();
    c->tail = (c->tail + 1) % window;
    c->in_flight++;
    sent++;
  }
}

// 0 if everything was written, 1 if the socket is full, -1 if it failed.
static int flush_out(Connection *c) {
  while (c->out_off < c->out_len) {
    ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off,
                     MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN ? 1 : -1;
    c->out_off += n;
  }
  c->out_off = c->out_len = 0;
  return 0;
}

static int is_response(const unsigned char *body, size_t len) {
  return !json || memmem(body, len, "\"echo_response\"", 15);
}

static void check(Connection *c, unsigned char *body, size_t len) {
  static char *want;
  c->checked = 1;
  if (!json) return;
  if (!want) {
    want = malloc(content_len);
    memset(want, 'x', content_len);
  }
  if (!is_response(body, len) || !memmem(body, len, want, content_len)) {
    die("not an echo_response with the content sent: %.*s",
        (int)(len > 200 ? 200 : len), body);
  }
}

static void grow(Connection *c, size_t at, size_t len) {
  if (len > (64u << 20)) die("absurd frame length %zu", len);
  unsigned char *grown = malloc(len + 8);
  memcpy(grown, c->in + at, c->in_len - at);
  free(c->in);
  c->in = grown;
  c->in_cap = len + 8;
  c->in_len -= at;
}

static void consume(Connection *c) {
  double t = now();
  size_t at = 0;
  while (c->in_len - at >= 4) {
    size_t len = read_u32(c->in + at);
    if (len + 4 > c->in_cap) {
      grow(c, at, len);
      at = 0;
    }
    if (c->in_len - at < len + 4) break;
    unsigned char *body = c->in + at + 4;
    at += len + 4;
    if (drain && !is_response(body, len)) {
      notices++;
      continue;
    }
    if (!c->checked) check(c, body, len);
    if (c->in_flight == 0) die("a response to nothing");
    done++;
    c->in_flight--;
    record(&latency, t - c->sent_at[c->head], 1);
    c->head = (c->head + 1) % window;
  }
  memmove(c->in, c->in + at, c->in_len - at);
  c->in_len -= at;
}

static void end(Connection *c, int reset) {
  if (!drain) die(reset ? "read or write failed" : "closed by the server");
  resets += reset;
  partial += c->in_len > 0;
  close(c->fd);
  c->fd = -1;
  open_connections--;
}

// Reads everything there is. Returns 0 if the connection has ended.
static int read_all(Connection *c) {
  for (;;) {
    ssize_t r = read(c->fd, c->in + c->in_len, c->in_cap - c->in_len);
    if (r < 0 && errno == EAGAIN) return 1;
    if (r <= 0) {
      end(c, r < 0);
      return 0;
    }
    c->in_len += r;
    consume(c);
  }
}

static void make_request(void) {
  const char *head = json ? "{\"type\":\"echo\",\"content\":\"" : "";
  const char *tail = json ? "\",\"timestamp\":\"2024-01-01T12:00:00.000Z\"}" : "";
  size_t body = strlen(head) + content_len + strlen(tail);
  request_len = body + 4;
  request = malloc(request_len);
  write_u32(request, body);
  memcpy(request + 4, head, strlen(head));
  memset(request + 4 + strlen(head), 'x', content_len);
  memcpy(request + 4 + strlen(head) + content_len, tail, strlen(tail));
}

static void open_connection(Connection *c, const char *host, int port, int ep) {
  c->fd = dial(host, port);
  if (c->fd < 0) die("connect: %s, after %d", strerror(errno), open_connections);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  size_t twice = request_len * 2;
  c->in_cap = connections > 2000 ? twice * 2 + 512
              : twice > 65536    ? twice
                                 : 65536;
  size_t most = request_len * window;
  if (most > 1 << 20) most = 1 << 20;
  c->in = malloc(c->in_cap);
  c->out = malloc(most + request_len);
  c->sent_at = calloc(window, sizeof(double));
  struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                          .data.ptr = c};
  epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
  open_connections++;
}

int main(int argc, char **argv) {
  if (argc < 7) {
    fprintf(stderr,
            "usage: loadgen HOST PORT CONNECTIONS WINDOW CONTENT_BYTES SECONDS "
            "[raw|json] [drain]\n");
    return 2;
  }
  connections = atoi(argv[3]);
  window = atoi(argv[4]);
  content_len = atoi(argv[5]);
  double seconds = atof(argv[6]);
  json = argc > 7 && !strcmp(argv[7], "json");
  drain = argc > 8 && !strcmp(argv[8], "drain");
  make_request();

  int ep = epoll_create1(0);
  Connection *all = calloc(connections, sizeof(Connection));
  for (int i = 0; i < connections; i++) {
    open_connection(&all[i], argv[1], atoi(argv[2]), ep);
  }
  double start = now(), warm = start + seconds * 0.2, stop = start + seconds;
  double counted_from = 0;
  unsigned long long base = 0;
  for (int i = 0; i < connections; i++) {
    fill(&all[i]);
    flush_out(&all[i]);
  }
  struct epoll_event events[512];
  for (double t; (t = now()) < stop && open_connections;) {
    if (!counted_from && t > warm) {
      counted_from = t;
      base = done;
      memset(&latency, 0, sizeof latency);
    }
    int n = epoll_wait(ep, events, 512, 100);
    for (int k = 0; k < n; k++) {
      Connection *c = events[k].data.ptr;
      if (events[k].events & EPOLLIN) {
        if (!read_all(c)) continue;
        fill(c);
      }
      if (flush_out(c) < 0) end(c, 1);
    }
  }
  if (drain) {
    printf("{\"sent\":%llu,\"answered\":%llu,\"notices\":%llu,\"partial\":%llu,"
           "\"resets\":%llu,\"open\":%d,\"seconds\":%.2f}\n",
           sent, done, notices, partial, resets, open_connections,
           now() - start);
    return 0;
  }
  double rate = (done - base) / (now() - counted_from);
  printf("{\"connections\":%d,\"window\":%d,\"requestBytes\":%zu,"
         "\"total\":%llu,\"perSecond\":%.0f,\"megabytesPerSecond\":%.1f,"
         "\"p50Us\":%ld,"
         "\"p99Us\":%ld,\"p999Us\":%ld,\"cpuSeconds\":%.3f}\n",
         connections, window, request_len, done, rate, rate * request_len / 1e6,
         percentile(&latency, .5), percentile(&latency, .99),
         percentile(&latency, .999), cpu_seconds());
  return 0;
}
