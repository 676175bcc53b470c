/*
 * watcher.h: things outside that happen, told one by one.
 *
 * A watcher is inactive, or active: started, and calling `callback` in the hub
 * at each event until it is stopped. While active it keeps the hub alive if
 * `ref` is set. Instead of a callback a greenlet may wait for the next event
 * (watcher_wait). Kinds follow libev, with two differences: timers are nodes
 * of the hub's own heap, and a child is watched by a pidfd, so that only the
 * pids that somebody watches are reaped.
 */
#ifndef CORE_WATCHER_H
#define CORE_WATCHER_H

#include <ev.h>
#include <stdbool.h>

#include "core/list.h"
#include "core/timer.h"

struct greenlet;
struct hub;

enum watcher_kind {
  WATCHER_IO,
  WATCHER_TIMER,
  WATCHER_SIGNAL,
  WATCHER_CHILD,
  WATCHER_STAT,
  WATCHER_ASYNC,
  WATCHER_IDLE,
  WATCHER_PREPARE,
  WATCHER_CHECK,
  WATCHER_FORK,
};

struct watcher {
  struct hub *hub;
  enum watcher_kind kind;
  bool active;
  bool ref;                          /* see watcher_set_ref */
  int priority;                      /* EV_MINPRI to EV_MAXPRI; fixed while active */
  void (*callback)(struct watcher *, int events);
  void (*stopped)(struct watcher *); /* it stopped by itself: a timer that does
                                        not repeat, a child that has ended */
  struct greenlet *waiter;           /* who waits in watcher_wait */
  struct watcher *next;              /* io: on the same descriptor, while active */
  struct list node;                  /* io: in hub->changed_ios; child: in hub->children */
  union {
    ev_watcher any;
    ev_io io;
    ev_signal signal;
    ev_stat stat;
    ev_async async;
    ev_idle idle;
    ev_prepare prepare;
    ev_check check;
    ev_fork fork;
    struct {
      struct timer node;
      double after, repeat;          /* seconds; repeat 0: once */
    } timer;
    struct {
      ev_io pidfd;
      int pid, rpid, rstatus;        /* as waitpid; 0 until it has ended */
    } child;
  } of;
};

/*
 * Prepare a watcher; each returns 0, or -EINVAL for an argument out of range.
 * io: events is EV_READ, EV_WRITE or both. stat: `path` must outlive the
 * watcher; interval 0 is libev's default. timer: seconds.
 */
int watcher_init_io(struct watcher *watcher, struct hub *hub, int fd, int events);
int watcher_init_timer(struct watcher *watcher, struct hub *hub, double after, double repeat);
int watcher_init_signal(struct watcher *watcher, struct hub *hub, int number);
int watcher_init_child(struct watcher *watcher, struct hub *hub, int pid);
int watcher_init_stat(struct watcher *watcher, struct hub *hub, const char *path,
                      double interval);
/* The kinds without arguments: ASYNC, IDLE, PREPARE, CHECK, FORK. */
int watcher_init(struct watcher *watcher, struct hub *hub, enum watcher_kind kind);

/*
 * Start it; no effect on an active one. Returns 0, or -EBADF for a closed
 * descriptor, -EBUSY for a signal that another hub watches, -ECHILD for a pid
 * that is no child of ours, -ENOSYS where the kernel has no pidfd, -EMFILE, -ENOMEM.
 */
int watcher_start(struct watcher *watcher);

/* Stop it; no effect on an inactive one. Who waits for it waits on. */
void watcher_stop(struct watcher *watcher);

/* Does an active watcher keep the hub alive? May be changed at any time. */
void watcher_set_ref(struct watcher *watcher, bool ref);

/* Timers: start again, or first, counting from now; `repeat` seconds if set. */
int watcher_again(struct watcher *watcher);

/* Async: make it happen. Safe in signal handlers and from other threads. */
void watcher_send(struct watcher *watcher);

/*
 * Wait in the current greenlet for the next event, starting the watcher if it
 * is not active and then stopping it afterwards. Returns as waiter_park, or
 * -EBUSY when another greenlet waits for it already.
 */
int watcher_wait(struct watcher *watcher, double seconds);

/*
 * The loop is about to poll. libev aborts when it is to poll a descriptor that
 * was closed since its watcher was started: those stop by themselves, their
 * callbacks are called with EV_ERROR, and who waits gets -EBADF.
 */
void watchers_check(struct hub *hub);

/* The same where nobody is to be told of it. */
void watchers_stop_closed(struct hub *hub);

/* May this process fork? 0, or -EMFILE where a child could not make the descriptors anew
 * that its loop needs. */
int watchers_check_fork(const struct hub *hub);

/* This process is a forked child: the kernel is to be told anew. */
void watchers_forked(struct hub *hub);

/* The kernel knows of all of them. */
void watchers_told(struct hub *hub);

#endif
