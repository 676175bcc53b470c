#include "core/watcher.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/greenlet.h"
#include "core/hub.h"
#include "core/waiter.h"

/* ---- Events ---- */

static void happen(struct watcher *watcher, int events) {
  struct greenlet *waiter = watcher->waiter;
  if (waiter) {
    watcher->waiter = NULL;
    waiter_wake(waiter, 0);
  }
  if (watcher->callback)
    watcher->callback(watcher, events);
}

/* It has stopped by itself. The last call: callback may free the watcher. */
static void happen_last(struct watcher *watcher, int events) {
  if (watcher->stopped)
    watcher->stopped(watcher);
  happen(watcher, events);
}

static void on_event(struct ev_loop *loop, ev_watcher *any, int events) {
  struct watcher *watcher = any->data;
  (void)loop;
  happen(watcher, events);
}

static void tell_status(struct hub *hub, int pid, int status) {
  for (struct list *node = hub->children.next; node != &hub->children; node = node->next) {
    struct watcher *watcher = container_of(node, struct watcher, node);
    if (watcher->of.child.pid != pid)
      continue;
    watcher->of.child.rpid = pid;
    watcher->of.child.rstatus = status;
  }
}

static void on_child(struct ev_loop *loop, ev_watcher *any, int events) {
  struct watcher *watcher = any->data;
  int status = 0;
  (void)loop;
  /* rpid: another watcher of the same child was first, and has told us. */
  if (watcher->of.child.rpid == 0) {
    pid_t pid = waitpid(watcher->of.child.pid, &status, WNOHANG);
    if (pid == 0)
      return;
    /* pid < 0: somebody else has reaped it, and its status is not to be had. */
    tell_status(watcher->hub, watcher->of.child.pid, pid > 0 ? status : 0);
  }
  watcher_stop(watcher);
  happen_last(watcher, events);
}

static void on_timer(struct timer *timer) {
  struct watcher *watcher = container_of(timer, struct watcher, of.timer.node);
  if (watcher->of.timer.repeat <= 0) {
    /* The node is stopped already; so is the watcher but for the counts. */
    watcher->hub->active--;
    watcher->active = false;
    happen_last(watcher, EV_TIMER);
    return;
  }
  double at = clock_seconds() + watcher->of.timer.repeat;
  timer_start(&watcher->hub->timers, timer, at); /* room: it was just stopped */
  happen(watcher, EV_TIMER);
}

/* ---- Preparing ---- */

static void prepare(struct watcher *watcher, struct hub *hub, enum watcher_kind kind) {
  *watcher = (struct watcher){.hub = hub, .kind = kind, .ref = true};
  list_init(&watcher->node);
}

int watcher_init(struct watcher *watcher, struct hub *hub, enum watcher_kind kind) {
  prepare(watcher, hub, kind);
  ev_init(&watcher->of.any, on_event);
  watcher->of.any.data = watcher;
  return kind >= WATCHER_ASYNC ? 0 : -EINVAL;
}

int watcher_init_io(struct watcher *watcher, struct hub *hub, int fd, int events) {
  if (fd < 0 || (events & ~(EV_READ | EV_WRITE)) || !events)
    return -EINVAL;
  watcher_init(watcher, hub, WATCHER_IO);
  ev_io_set(&watcher->of.io, fd, events);
  return 0;
}

int watcher_init_timer(struct watcher *watcher, struct hub *hub, double after, double repeat) {
  if (!(after >= 0) || !(repeat >= 0))
    return -EINVAL;
  prepare(watcher, hub, WATCHER_TIMER);
  watcher->of.timer.node = (struct timer){.expire = on_timer};
  watcher->of.timer.after = after;
  watcher->of.timer.repeat = repeat;
  return 0;
}

/* glibc keeps the two after SIGSYS for itself; KILL and STOP cannot be caught. */
static bool can_watch(int number) {
  return number > 0 && number < _NSIG && number != SIGKILL && number != SIGSTOP &&
         (number < 32 || number >= SIGRTMIN);
}

int watcher_init_signal(struct watcher *watcher, struct hub *hub, int number) {
  if (!can_watch(number))
    return -EINVAL;
  watcher_init(watcher, hub, WATCHER_SIGNAL);
  ev_signal_set(&watcher->of.signal, number);
  return 0;
}

int watcher_init_child(struct watcher *watcher, struct hub *hub, int pid) {
  if (pid <= 0)
    return -EINVAL;
  prepare(watcher, hub, WATCHER_CHILD);
  watcher->of.child.pid = pid;
  return 0;
}

int watcher_init_stat(struct watcher *watcher, struct hub *hub, const char *path,
                      double interval) {
  if (!(interval >= 0))
    return -EINVAL;
  watcher_init(watcher, hub, WATCHER_STAT);
  ev_stat_set(&watcher->of.stat, path, interval);
  return 0;
}

/* ---- Starting ---- */

/* libev aborts when two loops watch one signal, and programs may have several
 * hubs: keep account of who has which. */
static _Atomic(struct ev_loop *) signal_owner[_NSIG];
static unsigned signal_watchers[_NSIG];
static struct sigaction signal_before[_NSIG];

/* Can a descriptor be made? libev ends the process where it cannot. */
static int check_descriptors(void) {
  int fd = eventfd(0, EFD_CLOEXEC);
  if (fd < 0)
    return -errno;
  close(fd);
  return 0;
}

/* Signals and asyncs wake the loop by a descriptor that libev makes for the first of them. */
static int check_pipe(struct hub *hub) {
  int result = hub->has_pipe ? 0 : check_descriptors();
  hub->has_pipe = result == 0;
  return result;
}

static int take_signal(struct watcher *watcher) {
  int number = watcher->of.signal.signum;
  struct ev_loop *nobody = NULL, *loop = watcher->hub->loop;
  int result = check_pipe(watcher->hub);
  if (result < 0)
    return result;
  if (!atomic_compare_exchange_strong(&signal_owner[number], &nobody, loop) && nobody != loop)
    return -EBUSY;
  if (signal_watchers[number]++ == 0)
    sigaction(number, NULL, &signal_before[number]);
  ev_signal_start(loop, &watcher->of.signal);
  return 0;
}

static void give_signal(struct watcher *watcher) {
  int number = watcher->of.signal.signum;
  ev_signal_stop(watcher->hub->loop, &watcher->of.signal);
  if (--signal_watchers[number] > 0)
    return;
  sigaction(number, &signal_before[number], NULL); /* libev leaves the default */
  atomic_store(&signal_owner[number], NULL);
}

static bool is_open(const struct watcher *watcher) {
  return fcntl(watcher->of.io.fd, F_GETFD) >= 0;
}

/* Have the place of the descriptor in hub->ios. */
static int grow_ios(struct hub *hub, size_t fd) {
  size_t room = hub->ios_room ? hub->ios_room : 64;
  while (room <= fd)
    room *= 2;
  if (room == hub->ios_room)
    return 0;
  struct watcher **ios = realloc(hub->ios, room * sizeof *ios);
  if (!ios)
    return -ENOMEM;
  for (size_t i = hub->ios_room; i < room; i++)
    ios[i] = NULL;
  hub->ios = ios;
  hub->ios_room = room;
  return 0;
}

/* libev will tell the kernel what the watchers of the descriptor want. */
static void changed(struct hub *hub, int fd) {
  struct watcher *first = (size_t)fd < hub->ios_room ? hub->ios[fd] : NULL;
  if (first && list_empty(&first->node))
    list_append(&hub->changed_ios, &first->node);
}

static void stop_io(struct watcher *watcher) {
  struct hub *hub = watcher->hub;
  struct watcher **place = &hub->ios[watcher->of.io.fd];
  while (*place != watcher)
    place = &(*place)->next;
  *place = watcher->next;
  list_remove(&watcher->node);
  changed(hub, watcher->of.io.fd);
  ev_io_stop(hub->loop, &watcher->of.io);
}

void watchers_check(struct hub *hub) {
  struct list *list = &hub->changed_ios, *node = list->next;
  while (node != list) {
    struct watcher *watcher = container_of(node, struct watcher, node);
    node = node->next;
    if (is_open(watcher))
      continue;
    watcher_stop(watcher);
    if (watcher->waiter)
      waiter_interrupt(watcher->waiter, -EBADF);
    happen_last(watcher, EV_ERROR);
    node = list->next; /* the callback may have stopped or started any */
  }
}

void watchers_stop_closed(struct hub *hub) {
  struct list *list = &hub->changed_ios, *node = list->next;
  while (node != list) {
    struct watcher *watcher = container_of(node, struct watcher, node);
    bool open = is_open(watcher);
    if (!open)
      watcher_stop(watcher);
    node = open ? node->next : list->next;
  }
}

int watchers_check_fork(const struct hub *hub) {
  return hub->has_pipe ? check_descriptors() : 0;
}

void watchers_forked(struct hub *hub) {
  ev_loop_fork(hub->loop);
  for (size_t fd = 0; fd < hub->ios_room; fd++)
    changed(hub, (int)fd);
}

void watchers_told(struct hub *hub) {
  while (!list_empty(&hub->changed_ios))
    list_remove(hub->changed_ios.next);
}

static int start_io(struct watcher *watcher) {
  struct hub *hub = watcher->hub;
  int fd = watcher->of.io.fd;
  /* libev would report a closed descriptor as readable, for ever. */
  if (!is_open(watcher))
    return -EBADF;
  if (grow_ios(hub, (size_t)fd) < 0)
    return -ENOMEM;
  watcher->next = hub->ios[fd];
  hub->ios[fd] = watcher;
  list_append(&hub->changed_ios, &watcher->node);
  ev_io_start(watcher->hub->loop, &watcher->of.io);
  return 0;
}

static int start_child(struct watcher *watcher) {
  siginfo_t info;
  if (waitid(P_PID, (id_t)watcher->of.child.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
    return -errno;
  int fd = (int)syscall(SYS_pidfd_open, watcher->of.child.pid, 0);
  if (fd < 0)
    return -errno;
  ev_init(&watcher->of.any, on_child);
  ev_io_set(&watcher->of.child.pidfd, fd, EV_READ);
  watcher->of.any.data = watcher;
  watcher->of.child.rpid = watcher->of.child.rstatus = 0;
  ev_io_start(watcher->hub->loop, &watcher->of.child.pidfd);
  list_append(&watcher->hub->children, &watcher->node);
  return 0;
}

static int start_timer(struct watcher *watcher, double seconds) {
  watcher->of.timer.node.ref = watcher->ref;
  return timer_start(&watcher->hub->timers, &watcher->of.timer.node,
                     clock_seconds() + seconds);
}

static int start_async(struct watcher *watcher) {
  int result = check_pipe(watcher->hub);
  if (result == 0)
    ev_async_start(watcher->hub->loop, &watcher->of.async);
  return result;
}

static int start(struct watcher *watcher) {
  struct ev_loop *loop = watcher->hub->loop;
  if (watcher->kind != WATCHER_TIMER && watcher->kind != WATCHER_CHILD)
    ev_set_priority(&watcher->of.any, watcher->priority);
  switch (watcher->kind) {
    case WATCHER_IO: return start_io(watcher);
    case WATCHER_TIMER: return start_timer(watcher, watcher->of.timer.after);
    case WATCHER_SIGNAL: return take_signal(watcher);
    case WATCHER_CHILD: return start_child(watcher);
    case WATCHER_STAT: ev_stat_start(loop, &watcher->of.stat); break;
    case WATCHER_ASYNC: return start_async(watcher);
    case WATCHER_IDLE: ev_idle_start(loop, &watcher->of.idle); break;
    case WATCHER_PREPARE: ev_prepare_start(loop, &watcher->of.prepare); break;
    case WATCHER_CHECK: ev_check_start(loop, &watcher->of.check); break;
    case WATCHER_FORK: ev_fork_start(loop, &watcher->of.fork); break;
  }
  return 0;
}

/* Timers are counted by the heap. */
static void count(struct watcher *watcher, int by) {
  watcher->active = by > 0;
  watcher->hub->active += (size_t)by;
  if (watcher->ref && watcher->kind != WATCHER_TIMER)
    watcher->hub->refs += (size_t)by;
}

int watcher_start(struct watcher *watcher) {
  if (watcher->active)
    return 0;
  int result = start(watcher);
  if (result == 0)
    count(watcher, 1);
  return result;
}

void watcher_stop(struct watcher *watcher) {
  struct ev_loop *loop = watcher->hub->loop;
  if (!watcher->active)
    return;
  count(watcher, -1);
  switch (watcher->kind) {
    case WATCHER_IO: stop_io(watcher); break;
    case WATCHER_TIMER: timer_stop(&watcher->hub->timers, &watcher->of.timer.node); break;
    case WATCHER_SIGNAL: give_signal(watcher); break;
    case WATCHER_CHILD:
      list_remove(&watcher->node);
      ev_io_stop(loop, &watcher->of.child.pidfd);
      close(watcher->of.child.pidfd.fd);
      /* Its number may be one that a script watched, and closed since. */
      changed(watcher->hub, watcher->of.child.pidfd.fd);
      break;
    case WATCHER_STAT: ev_stat_stop(loop, &watcher->of.stat); break;
    case WATCHER_ASYNC: ev_async_stop(loop, &watcher->of.async); break;
    case WATCHER_IDLE: ev_idle_stop(loop, &watcher->of.idle); break;
    case WATCHER_PREPARE: ev_prepare_stop(loop, &watcher->of.prepare); break;
    case WATCHER_CHECK: ev_check_stop(loop, &watcher->of.check); break;
    case WATCHER_FORK: ev_fork_stop(loop, &watcher->of.fork); break;
  }
}

void watcher_set_ref(struct watcher *watcher, bool ref) {
  if (watcher->ref == ref)
    return;
  size_t by = ref ? 1 : (size_t)-1;
  watcher->ref = ref;
  if (!watcher->active)
    return;
  if (watcher->kind != WATCHER_TIMER) {
    watcher->hub->refs += by;
    return;
  }
  watcher->of.timer.node.ref = ref;
  watcher->hub->timers.refs += by;
}

int watcher_again(struct watcher *watcher) {
  assert(watcher->kind == WATCHER_TIMER);
  watcher_stop(watcher);
  if (watcher->of.timer.repeat <= 0)
    return 0;
  int result = start_timer(watcher, watcher->of.timer.repeat);
  if (result == 0)
    count(watcher, 1);
  return result;
}

void watcher_send(struct watcher *watcher) {
  ev_async_send(watcher->hub->loop, &watcher->of.async);
}

/* ---- Waiting ---- */

static void leave(struct greenlet *greenlet) {
  struct watcher *watcher = (struct watcher *)greenlet->wait.object;
  watcher->waiter = NULL;
}

int watcher_wait(struct watcher *watcher, double seconds) {
  struct hub *hub = watcher->hub;
  bool started_here = !watcher->active;
  if (watcher->waiter)
    return -EBUSY;
  int result = waiter_check(hub);
  if (result == 0)
    result = watcher_start(watcher);
  if (result < 0)
    return result;
  watcher->waiter = hub->current;
  result = waiter_park(hub, WAIT_WATCHER, watcher, leave, seconds, true);
  if (started_here)
    watcher_stop(watcher);
  return result;
}
