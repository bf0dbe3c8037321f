// Echoes bytes: epoll, one thread, nothing else. What the machine can do.
//
//   gcc -O2 -o echo echo.c && ./echo PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const int one = 1;

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  socklen_t size = sizeof address;
  if (bind(fd, (void *)&address, size) || listen(fd, 4096)) {
    perror("listen");
    exit(1);
  }
  getsockname(fd, (void *)&address, &size);
  printf("listening tcp://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void watch(int ep, int fd) {
  struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static void accept_all(int ep, int listener) {
  for (;;) {
    int fd = accept4(listener, 0, 0, SOCK_NONBLOCK);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(ep, fd);
  }
}

static void echo(int fd) {
  static char bytes[65536];
  ssize_t got = read(fd, bytes, sizeof bytes);
  if (got <= 0) {
    close(fd);
    return;
  }
  for (ssize_t at = 0; at < got;) {
    ssize_t n = send(fd, bytes + at, got - at, MSG_NOSIGNAL);
    if (n >= 0) {
      at += n;
    } else if (errno != EAGAIN) {
      close(fd);
      return;
    }
  }
}

int main(int argc, char **argv) {
  int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
  int ep = epoll_create1(0);
  watch(ep, listener);
  struct epoll_event events[512];
  for (;;) {
    int n = epoll_wait(ep, events, 512, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(ep, listener);
      } else {
        echo(fd);
      }
    }
  }
}
